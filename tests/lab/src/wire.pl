# A cable that damages frames, with nothing but Perl's core: passes frames between two interfaces of its namespace.
#
#   wire.pl INDEX INDEX OUT IN
#
# The first interface is the machine's end. OUT is what happens to frames that leave the machine, IN to those that come
# to it: KEY=NUMBER joined by commas. loss, double and replay are percentages of frames; delay and jitter are
# milliseconds. A replay is a frame of the last minute that is sent once more.
use strict;
use Time::HiRes qw(time);

my @index = @ARGV[0, 1];
my @fate = map { { map { split /=/ } split /,/ } } @ARGV[2, 3];
my (@ends, @places);
for my $index (@index) {
    # AF_PACKET, SOCK_RAW, ETH_P_ALL.
    socket(my $end, 17, 3, 0x0300) or die "socket: $!";
    my $place = pack('S n l S C C a8', 17, 3, $index, 1, 0, 6, '');
    bind($end, $place) or die "bind: $!";
    # SOL_PACKET, PACKET_VNET_HDR: a frame keeps the note that its checksum is still to be made.
    setsockopt($end, 263, 15, pack('l', 1)) or die "PACKET_VNET_HDR: $!";
    push @ends, $end;
    push @places, $place;
}

my @due;
my @past = ([], []);

# An interface that is down, or gone, takes nothing: the cable goes on.
sub deliver { my ($side, $frame) = @_; send($ends[$side], $frame, 0, $places[$side]); }

sub happens { rand(100) < ($_[0] // 0) }

sub later {
    my ($from, $frame) = @_;
    my $fate = $fate[$from];
    my $wait = (($fate->{delay} // 0) + rand($fate->{jitter} // 0)) / 1000;
    if ($wait > 0) { push @due, [time + $wait, 1 - $from, $frame] } else { deliver(1 - $from, $frame) }
}

sub pass {
    my ($from, $frame) = @_;
    my $fate = $fate[$from];
    if ($fate->{replay}) {
        my $past = $past[$from];
        push @$past, [time, $frame];
        shift @$past while @$past && $past->[0][0] < time - 60;
        later($from, $past->[rand @$past][1]) if happens($fate->{replay});
    }
    later($from, $frame) unless happens($fate->{loss});
    later($from, $frame) if happens($fate->{double});
}

$| = 1;
print "ready\n";
while (1) {
    my $ready = '';
    vec($ready, fileno($_), 1) = 1 for @ends;
    my $found = select($ready, undef, undef, @due ? 0.002 : 1);
    for my $from ($found > 0 ? (0, 1) : ()) {
        next unless vec($ready, fileno($ends[$from]), 1);
        my $sender = recv($ends[$from], my $frame, 70000, 0);
        # What we sent ourselves (PACKET_OUTGOING) is heard, too.
        next if !defined $sender || (unpack('S n l S C', $sender))[4] == 4;
        pass($from, $frame);
    }
    my $now = time;
    my @rest;
    for my $one (@due) {
        if ($one->[0] <= $now) { deliver($one->[1], $one->[2]) } else { push @rest, $one }
    }
    @due = @rest;
}
