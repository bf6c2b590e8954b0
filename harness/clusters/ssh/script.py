"""What runs on a host: one shell script, put there at the start, which carries out all orders.

Rules
1. POSIX sh, /proc, and setsid of util-linux: nothing is asked of a host that a Linux lacks. Each
   order is as good twice as once, so that one whose connection broke can be repeated.
2. A process is known by its pid and the time at which it began: pids are used again, and nobody
   else's process is ever signalled.
3. A node is a session of its own, with the shell at its head that keeps its exit status. Orders go
   to the whole group; a node is dead when no process of the group is left (zombies have ended).
4. The watch is the dead-man timer. It counts its own seconds, since a fault may have set the clock,
   and looks whether the lease has changed since; when it has not for too long it heals the host as
   `heal` does: first the network, then the clock, then the nodes end, for nobody drives them.
"""

from __future__ import annotations

SCRIPT = r"""#!/bin/sh
# Put here by antipaxos, which is told to run this host. All of it goes with this directory.
here=${0%/*}
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH LC_ALL=C

# life PID: sets $state (gone, or a letter as in proc(5)), $born (clock ticks) and $pgrp
life() {
  state=gone born=0 pgrp=0
  { read -r stat < "/proc/$1/stat"; } 2>/dev/null || return 0
  set -- ${stat##*') '}
  state=$1 pgrp=$3 born=${20}
}

# is PID BORN: does this very process live? A zombie does not.
is() {
  life "$1"
  [ "$born" = "$2" ] && case $state in Z|X|gone) false ;; *) true ;; esac
}

# recorded FILE: sets $pid $pid_born $group $group_born as the node's start wrote them
recorded() {
  pid=0 pid_born=0 group=0 group_born=0
  { read -r pid pid_born group group_born < "$1"; } 2>/dev/null
}

# members GROUP LETTERS: does any process of the group live, in none of these states?
members() {
  for file in /proc/[0-9]*/stat; do
    { read -r stat < "$file"; } 2>/dev/null || continue
    set -- "$1" "$2" ${stat##*') '}
    [ "$5" = "$1" ] && case ZX$2 in *$3*) ;; *) return 0 ;; esac
  done
  return 1
}

# ours: is there a group of the node that was recorded, and no stranger who got its number?
ours() {
  [ "$group" -gt 1 ] || return 1
  life "$group"
  [ "$state" = gone ] || [ "$born" = "$group_born" ] || return 1
  members "$group"
}

write() { # FILE WORD...: whole or not at all
  file=$1; shift
  printf '%s\n' "$*" > "$file.new" && mv "$file.new" "$file"
}

# --- nodes -------------------------------------------------------------------------------------

start() { # NAME FOLDER WORD...
  home=$here/nodes/$1; shift
  recorded "$home/pid"
  is "$pid" "$pid_born" && exit 0
  ours && kill -s KILL -- "-$group"  # what the last life left would hold its ports
  rm -f "$home/pid" "$home/ended"
  setsid -f sh "$0" lead "$home" "$@" < /dev/null >> "$home/log" 2>&1 || exit 1
  tries=500
  until [ -e "$home/pid" ] || [ -e "$home/ended" ]; do
    tries=$((tries - 1)); [ $tries -gt 0 ] || exit 1
    sleep 0.01
  done
}

lead() { # HOME FOLDER WORD...: heads the node's session, and keeps how it ended
  home=$1 folder=$2; shift 2
  life $$
  cd "$folder" && sh "$here/host" become "$home" $$ "$born" "$@"
  write "$home/ended" $?
}

become() { # HOME GROUP GROUP_BORN WORD...
  home=$1 group=$2 group_born=$3; shift 3
  life $$
  write "$home/pid" $$ "$born" "$group" "$group_born"
  exec "$@"
}

signal() { # NAME SIGNAL
  recorded "$here/nodes/$1/pid" && ours && kill -s "$2" -- "-$group"
  return 0
}

state() { # NAME: one word; of the dead also how it ended, if that is known
  recorded "$here/nodes/$1/pid"
  if is "$pid" "$pid_born"; then
    case $state in T|t) echo paused ;; *) echo running ;; esac
    return 0
  fi
  tries=20 # the head of its session is about to say how it ended
  while is "$group" "$group_born" && [ $tries -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.01
  done
  ended=
  { read -r ended < "$here/nodes/$1/ended"; } 2>/dev/null
  echo dead $ended
}

finish() { # NAME SIGNAL TRIES: until no process of the node is left
  signal "$1" "$2"
  tries=$3
  while ours && [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.01
  done
  ours && echo "left" || echo "dead"
}

restless() { # NAME: may any process of it take a step? One in state D meets the signal first
  recorded "$here/nodes/$1/pid" && ours && members "$group" TtD
}

move() { # NAME SIGNAL STATE TRIES: until it is so of all its processes, or dead
  signal "$1" "$2"
  waits=$4
  while :; do
    now=$(state "$1")
    case $now in
      dead*) break ;;
      "$3") [ "$3" = paused ] && restless "$1" || break ;;
    esac
    waits=$((waits - 1)); [ "$waits" -gt 0 ] || break
    sleep 0.01
  done
  echo "$now"
}

# --- the host ----------------------------------------------------------------------------------

end_nodes() {
  for home in "$here"/nodes/*; do
    recorded "$home/pid" && ours && kill -s KILL -- "-$group"
  done
}

heal() {
  nft delete table inet antipaxos 2>/dev/null
  for shaped in "$here"/shaped/*; do
    [ -e "$shaped" ] && tc qdisc del dev "${shaped##*/}" root 2>/dev/null
    rm -f "$shaped"
  done
  clock_back
  end_nodes
  return 0
}

beat() { # NAME COUNT OFFSET BYTES: I am here. Says what became of the node and of the watch, then,
  # after an empty line, what its log has from OFFSET on, at most so many bytes
  write "$here/lease" "$2"
  state "$1"
  [ ! -e "$here/expired" ] || echo expired
  echo
  [ ! -e "$here/nodes/$1/log" ] || tail -c "+$(($3 + 1))" "$here/nodes/$1/log" | head -c "$4"
}

watch() { # SECONDS
  life $$
  write "$here/watch" $$ "$born"
  seen= age=0
  while [ $age -lt "$1" ]; do
    sleep 1
    count=
    { read -r count < "$here/lease"; } 2>/dev/null
    [ "$count" = "$seen" ] && age=$((age + 1)) || age=0
    seen=$count
  done
  write "$here/expired" "$seen"
  heal
  rm -f "$here/watch"
}

watched() { # who holds the host: the lease, if a watch is running
  recorded "$here/watch"
  is "$pid" "$pid_born" && cat "$here/lease"
  return 0
}

guard() { # SECONDS: start the watch
  rm -f "$here/expired" "$here/watch"
  setsid -f sh "$0" watch "$1" < /dev/null > "$here/watch.log" 2>&1 || exit 1
  tries=500
  until [ -e "$here/watch" ]; do
    tries=$((tries - 1)); [ $tries -gt 0 ] || exit 1
    sleep 0.01
  done
}

fresh() { # NAME: an empty home for the node, which is dead
  rm -rf "$here/nodes/$1" "$here/expired"
  mkdir -p "$here/nodes/$1/data" "$here/files"
}

release() { # end the watch, and heal
  recorded "$here/watch"
  is "$pid" "$pid_born" && kill -s KILL -- "-$pid"
  rm -f "$here/watch"
  heal
}

# --- its clock: wall time is set, and CLOCK_BOOTTIME in /proc/uptime says by how much it is off --

now_ns() { date +%s%N; }

uptime_ns() {
  read -r up _ < /proc/uptime
  echo "${up%.*}${up#*.}0000000"
}

clock_note() { # once, before the first fault: what is right, and who keeps it so
  [ -e "$here/clock" ] && return 0
  running=
  for service in systemd-timesyncd chrony chronyd ntp ntpd ntpsec; do
    systemctl is-active --quiet $service 2>/dev/null &&
      systemctl stop $service && running="$running $service"
  done
  write "$here/clock" $(($(now_ns) - $(uptime_ns))) $running
}

clock_set() { # MILLISECONDS that it shall be ahead of the right time
  clock_note
  read -r right _ < "$here/clock"
  goal=$((right + $(uptime_ns) + $1 * 1000000))
  date -s "@$((goal / 1000000000)).$(printf %09d $((goal % 1000000000)))" > /dev/null
}

clock_ahead() { # in nanoseconds, good to the 10 ms of /proc/uptime; 0 if it was never touched
  { read -r right _ < "$here/clock"; } 2>/dev/null || { echo 0; return; }
  echo $(($(now_ns) - $(uptime_ns) - right))
}

clock_back() {
  { read -r right running < "$here/clock"; } 2>/dev/null || return 0
  clock_set 0
  for service in $running; do systemctl start "$service"; done
  rm -f "$here/clock"
}

order=$1; shift
"$order" "$@"
"""
