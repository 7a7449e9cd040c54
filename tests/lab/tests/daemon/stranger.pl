# A machine on the LAN that has no right to an address, with nothing but Perl's core.
#
#   claim INDEX MAC ADDRESS   has the address: answers whoever asks for it, and announces it once a second
#   answer INDEX MAC ADDRESS  answers whoever asks for it, and says nothing else
#   proxy INDEX MAC           a router with proxy ARP: answers whoever asks for anything
#
# INDEX is that of the interface; MAC and ADDRESS are hexadecimal.
use strict;
use Time::HiRes qw(time);

my ($mode, $index, $mac, $address) = @ARGV;
($mac, $address) = (pack('H*', $mac), pack('H*', $address // ''));
# AF_PACKET, SOCK_RAW, ETH_P_ARP.
socket(my $lan, 17, 3, 0x0608) or die "socket: $!";
my $place = pack('S n l S C C a8', 17, 0x0806, $index, 1, 0, 6, chr(255) x 6);
bind($lan, $place) or die "bind: $!";

sub reply {
    my ($whose, $to_mac, $to) = @_;
    my $frame = $to_mac . $mac . pack('H*', '08060001080006040002') . $mac . $whose . $to_mac . $to;
    send($lan, $frame, 0, $place) or die "send: $!";
}

my $next = time;
while (1) {
    if ($mode eq 'claim' && time >= $next) {
        reply($address, chr(255) x 6, $address);
        $next = time + 1;
    }
    my $ready = '';
    vec($ready, fileno($lan), 1) = 1;
    next unless select($ready, undef, undef, 0.2);
    recv($lan, my $frame, 2048, 0);
    my ($operation, $from, $sender, $target) = (substr($frame, 20, 2), substr($frame, 22, 6), substr($frame, 28, 4), substr($frame, 38, 4));
    next if $operation ne "\0\1" || $from eq $mac || $sender eq $target;
    reply($target, $from, $sender) if $mode eq 'proxy' || $target eq $address;
}
