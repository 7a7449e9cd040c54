# ARP on one interface, with nothing but Perl's core.
#
#   arp.pl ask INDEX MAC SENDER ADDRESS     asks ten times a second who has ADDRESS, and prints each answer: MAC,
#                                           and which question it answers
#   arp.pl claim INDEX MAC ADDRESS COUNT    says COUNT times within COUNT seconds that MAC has ADDRESS
#
# INDEX is that of the interface; MAC, SENDER and ADDRESS are hexadecimal.
use strict;
use Time::HiRes qw(time sleep);

my ($mode, $index, $mac) = (shift, shift, pack('H*', shift));
# AF_PACKET, SOCK_RAW, ETH_P_ARP.
socket(my $lan, 17, 3, 0x0608) or die "socket: $!";
my $place = pack('S n l S C C a8', 17, 0x0806, $index, 1, 0, 6, chr(255) x 6);
bind($lan, $place) or die "bind: $!";
my $all = chr(255) x 6;

if ($mode eq 'claim') {
    my ($address, $count) = (pack('H*', shift), shift);
    for (1 .. $count) {
        send($lan, $all . $mac . pack('H*', '08060001080006040002') . $mac . $address . $all . $address, 0, $place);
        sleep 1;
    }
    exit;
}

my ($own, $address) = map { pack('H*', $_) } @ARGV;
my $question = $all . $mac . pack('H*', '08060001080006040001') . $mac . $own . chr(0) x 6 . $address;
$| = 1;
my ($next, $count) = (time, 0);
while (1) {
    send($lan, $question, 0, $place);
    ($next, $count) = ($next + 0.1, $count + 1);
    $next = time if $next < time - 1;
    # All answers to a question are read before the next one is sent, also when this program was kept from running.
    while (1) {
        my $ready = '';
        vec($ready, fileno($lan), 1) = 1;
        my $left = $next - time;
        last unless select($ready, undef, undef, $left > 0 ? $left : 0) > 0;
        recv($lan, my $frame, 2048, 0);
        # Answers to us only: an announcement is sent to all.
        next if substr($frame, 20, 2) ne "\0\2" || substr($frame, 28, 4) ne $address || substr($frame, 0, 6) ne $mac;
        printf "%s %d\n", unpack('H*', substr($frame, 22, 6)), $count;
    }
}
