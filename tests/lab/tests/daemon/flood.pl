# A client of the system bus that behaves badly, with nothing but Perl's core: the D-Bus wire format by hand.
#
#   garbage COUNT   calls of org.hbd1 that make no sense, and connections that send rubbish
#   objects SECONDS  GetManagedObjects, thirty at a time, again and again
#   reload COUNT    Reload, again and again, which hbd logs each time
#   deaf SECONDS    subscribes to everything that org.hbd1 signals, and never reads it
use strict;
use IO::Socket::UNIX;

my ($mode, $count) = @ARGV;
my $serial = 0;

sub connection {
    my $bus = IO::Socket::UNIX->new(Peer => '/run/dbus/system_bus_socket') or die "no bus: $!";
    print $bus "\0AUTH EXTERNAL " . unpack('H*', "$>") . "\r\n";
    $bus->flush;
    <$bus> =~ /^OK/ or die "not let in";
    print $bus "BEGIN\r\n";
    $bus->flush;
    return $bus;
}

sub padded { my ($bytes, $to) = @_; return $bytes . "\0" x (-length($bytes) % $to) }
sub text { return pack('V/a* x', $_[0]) }

sub message {
    my ($to, $path, $interface, $member, $signature, $body) = @_;
    my $fields = '';
    for my $field ([1, 'o', $path], [2, 's', $interface], [3, 's', $member], [6, 's', $to]) {
        $fields = padded($fields, 8) . pack('C C/a* x', $field->[0], $field->[1]);
        $fields = padded($fields, 4) . text($field->[2]);
    }
    $fields = padded($fields, 8) . pack('C C/a* x C/a* x', 8, 'g', $signature) if $signature ne '';
    my $head = pack('a C C C V V V', 'l', 1, 0, 1, length($body), ++$serial, length($fields));
    return padded($head . $fields, 8) . $body;
}

sub take {
    my ($bus, $length) = @_;
    my $bytes = '';
    while (length($bytes) < $length) {
        my $read = sysread($bus, $bytes, $length - length($bytes), length($bytes));
        die "the bus hung up" unless $read;
    }
    return $bytes;
}

# The next reply or error: its type.
sub answer {
    my ($bus) = @_;
    while (1) {
        my (undef, $type, undef, undef, $body, undef, $fields) = unpack('a C C C V V V', take($bus, 16));
        take($bus, $fields + (-$fields % 8) + $body);
        return $type if $type == 2 || $type == 3;
    }
}

sub hello { return message('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'Hello', '', '') }

my $bus = connection();
syswrite($bus, hello());
answer($bus);
my $manager = 'org.hbd1.Manager';
if ($mode eq 'garbage') {
    for (1 .. 20) {
        my $rubbish = connection();
        syswrite($rubbish, hello() . join('', map { chr(int(rand(256))) } 1 .. 200));
    }
    my @calls = (
        sub { ('/org/hbd1', $manager, 'Standby', 'u', pack('V', 7)) },
        sub { ('/org/hbd1', $manager, 'Takeover', 's', text('nowhere')) },
        sub { ('/org/hbd1', $manager, 'NoSuchMethod', 's', text('x' x 10_000)) },
        sub { ('/org/hbd1/no/such/object', $manager, 'Reload', '', '') },
        sub { ('/org/hbd1', $manager, 'Move', 's', text("\x01")) },
        sub { ('/org/hbd1', 'org.freedesktop.DBus.Properties', 'Set', 's', text('State')) },
        sub { ('/org/hbd1', $manager, 'SetMaintenance', 's', text('perhaps')) },
    );
    my ($waiting, $errors) = (0, 0);
    my $reap = sub { $errors++ if answer($bus) == 3; $waiting-- };
    for my $number (1 .. $count) {
        syswrite($bus, message('org.hbd1', $calls[$number % @calls]->()));
        $waiting++;
        $reap->() while $waiting > 30;
    }
    $reap->() while $waiting;
    print "$errors errors\n";
} elsif ($mode eq 'objects') {
    my ($asked, $answered, $end) = (0, 0, time + $count);
    my @objects = ('org.hbd1', '/org/hbd1', 'org.freedesktop.DBus.ObjectManager', 'GetManagedObjects', '', '');
    while (time < $end) {
        for (; $asked < $answered + 30; $asked++) {
            syswrite($bus, message(@objects));
        }
        answer($bus);
        $answered++;
    }
    print "$answered answers\n";
} elsif ($mode eq 'reload') {
    for (1 .. $count) {
        syswrite($bus, message('org.hbd1', '/org/hbd1', $manager, 'Reload', '', ''));
        answer($bus) == 2 or die "Reload failed";
    }
    print "$count reloads\n";
} else {
    my $rule = text("type='signal',sender='org.hbd1'");
    my $daemon = '/org/freedesktop/DBus';
    syswrite($bus, message('org.freedesktop.DBus', $daemon, 'org.freedesktop.DBus', 'AddMatch', 's', $rule));
    answer($bus);
    print "listening\n";
    sleep $count;
}
