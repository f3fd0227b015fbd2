# Waits until its input ends: the server was closed, or the host is gone. Then ends every process of the
# server: those whose environment holds the mark, and their descendants. Each line of the input is a process
# that the host has started; only systems without /proc need it.
trap '' HUP INT TERM
# What the host left open for its children is not for this one.
exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
mark=$1
root=
while read -r line; do root="$root $line"; done

# pid, state and parent of every process.
table() {
  if [ -r /proc/self/stat ]; then
    cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/^\([0-9]*\) (.*) \([A-Za-z]\) \([0-9]*\) .*/\1 \2 \3/p'
  else
    ps -axo pid=,state=,ppid=
  fi
}

marked() {
  if [ -r /proc/self/environ ]; then
    grep -lsF -- "$mark" /proc/[0-9]*/environ | tr -dc '0-9\n'
  else
    echo "$root"
  fi
}

# Sets `found` to what runs of the server; `seen` remembers it, for children that lost their parent.
look() {
  found=' '
  alive=' '
  for pid in $(marked) $seen; do
    case "$found" in *" $pid "*) ;; *) found="$found$pid " ;; esac
  done
  set -- $(table)
  grew=1
  while [ $grew = 1 ]; do
    grew=0
    scan "$@"
  done
  running=
  for pid in $found; do
    case "$alive" in *" $pid "*) running="$running $pid" ;; esac
  done
  found=$running
  seen=$running
}

scan() {
  while [ $# -ge 3 ]; do
    case "$2" in
      Z* | X*) ;;
      *)
        case "$alive" in *" $1 "*) ;; *) alive="$alive$1 " ;; esac
        case "$found" in
          *" $1 "*) ;;
          *" $3 "*) found="$found$1 " grew=1 ;;
        esac
        ;;
    esac
    shift 3
  done
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
