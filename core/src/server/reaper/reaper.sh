# Waits until its input ends: the server was closed, or the host is gone. Then ends every process of the
# server: those whose environment holds the tag, and their descendants. Each line of the input is a process
# that the host has started, in place of the one before; only systems without /proc need it.
trap '' HUP INT TERM
# What the host left open for its children is not for this one.
exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
tag=$1
root=
while read -r line; do root=$line; done

# pid/parent of every process that lives.
table() {
  if [ -r /proc/self/stat ]; then
    cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's,^\([0-9]*\) (.*) [^ZX] \([0-9]*\) .*,\1/\2,p'
  else
    ps -axo state=,pid=,ppid= | sed -n 's,^ *[^ ZX][^ ]* *\([0-9]*\) *\([0-9]*\) *$,\1/\2,p'
  fi
}

marked() {
  if [ -r /proc/self/environ ]; then
    grep -lsF -- "$tag" /proc/[0-9]*/environ | tr -dc '0-9\n'
  else
    echo "$root"
  fi
}

# Sets `found` to what runs of the server; `seen` remembers it, for children that lost their parent.
look() {
  found=' '
  for pid in $(marked) $seen; do
    case "$found" in *" $pid "*) ;; *) found="$found$pid " ;; esac
  done
  living=$(table)
  grew=1
  # There may be thousands: each is compared with what was found, and with nothing else.
  while [ $grew = 1 ]; do
    grew=0
    running=
    for process in $living; do
      pid=${process%/*}
      case "$found" in
        *" $pid "*) running="$running $pid" ;;
        *" ${process#*/} "*) found="$found$pid " grew=1 ;;
      esac
    done
  done
  found=$running
  seen=$running
}

# The host may have died between the fork and the start of the server: one empty look proves nothing.
seen=
round=0
empty=0
while [ $empty -lt 3 ] && [ $round -lt 200 ]; do
  look
  if [ -z "$found" ]; then
    empty=$((empty + 1))
  else
    empty=0
    round=$((round + 1))
    case $round in
      1) kill -TERM $found 2>/dev/null ;;
      [2-9] | 10) ;;
      *) kill -KILL $found 2>/dev/null ;;
    esac
  fi
  sleep 0.05 2>/dev/null || sleep 1
done
