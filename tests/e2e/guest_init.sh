#!/bin/sh
# The first program of the virtual machine that vm.py boots: loads drivers, mounts the disk, starts keyclaved, and carries
# bytes between the virtio-serial ports and keyclaved's socket. What it says on the console begins with "guest: ".
# Everything here is in the initial ramdisk, which the kernel's EFI stub has measured into PCR 9 before it ran.

busybox=/bin/busybox
$busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t debugfs debug /sys/kernel/debug
exec </dev/null >/dev/console 2>&1

say() {
  echo "guest: $*"
}

# until_true COMMAND…: asks until it is so.
until_true() {
  until "$@"; do sleep 0.02; done
}

# The drivers, in the order in which the image lists them: each after what it stands on.
while read -r module; do
  insmod "/modules/$module" || say "no driver $module"
done </modules/order

echo # the firmware leaves the console in the middle of a line
for index in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
  say "pcr $index $(cat /sys/class/tpm/tpm0/pcr-sha256/$index)"
done

# port NAME: the device of the virtio-serial port of that name. Ports appear a moment after their driver.
port_is_there() {
  found=$(grep -lx "$1" /sys/class/virtio-ports/*/name 2>/dev/null)
}
port() {
  until_true port_is_there "$1"
  found=${found%/name}
  until_true [ -c "/dev/${found##*/}" ]
  echo "/dev/${found##*/}"
}

# relay NAME UID: one connection after the other. The host connects NAME.data and writes a line to NAME.control; once it
# writes another, the connection is to end. Whoever ends it, the host gets a line when it is over. keyclaved sees a process of
# user UID. (A port that the host has hung up blocks who writes to it: so the host never hangs up without asking.)
relay() {
  data=$(port "$1.data")
  control=$(port "$1.control")
  state=/sys/kernel/debug/virtio-ports/${data#/dev/}
  while read -r _; do
    until_true grep -q '^host_connected: 1' "$state"
    (
      socat -t 0 "OPEN:$data" "UNIX-CONNECT:$socket,setuid-early=$2" &
      echo $! >"/run/$1.pid"
      wait
      echo over
    ) &
    read -r _
    until_true [ -s "/run/$1.pid" ]
    kill "$(cat "/run/$1.pid")" 2>/dev/null
    wait
    rm "/run/$1.pid"
  done <>"$control" >&0
}

until_true [ -b /dev/vda ]
mount -t ext4 /dev/vda /disk || say "no disk"
config=/etc/keyclave/keyclaved.yaml
socket=/run/keyclaved.sock
if [ ! -d /disk/state ]; then
  keyclaved --config $config --init || say "keyclaved --init ended with $?"
fi
keyclaved --config $config &
daemon=$!
relay admin 0 &
relay caller 65534 &

daemon_settled() {
  [ -S $socket ] || ! kill -0 $daemon 2>/dev/null
}
until_true daemon_settled
if kill -0 $daemon; then
  say "serving"
else
  wait $daemon
  say "keyclaved ended with $?"
fi

# Whatever the host writes there is the wish to power off.
read -r _ <"$(port power)"
kill $daemon
wait $daemon
umount /disk
say "off"
poweroff -f
