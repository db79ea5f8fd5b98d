#!/bin/sh
# Makes the sample that comes with the project: a dialogue of two synthesized speakers, flite's voices `slt` and `rms` at
# their own speed, with half a second between the sentences. Needs flite and sox. Writes, into models/sample:
#   dialogue.wav   16 kHz, mono, 16 bit
#   dialogue.txt   what is said, numbers in words
#   dialogue.rttm  who speaks when
set -eu
folder=$(cd "$(dirname "$0")/../models/sample" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/script" <<'SCRIPT'
slt|Hi, this is Mary from Chicago.
rms|Hello, this is Michael from London.
slt|Did you cancel the heavy report?
rms|The meeting is on Friday at nine in the morning.
slt|Could you call Mary after eight in the morning?
rms|I paid two hundred and ten dollars for the ticket.
slt|The total is fifty two dollars.
rms|My account number is four eight one two.
slt|We arrive in Boston on Friday at nine.
rms|The meeting is on Thursday at ten in the morning.
SCRIPT

sox -q -n -r 16000 -b 16 -c 1 "$work/pause.wav" trim 0 0.5
: > "$work/rttm"
start=0
number=0
set --
while IFS='|' read -r voice sentence; do
  number=$((number + 1))
  wav=$work/$number.wav
  flite -voice "$voice" -t "$sentence" -o "$wav"
  length=$(soxi -D "$wav")
  echo "SPEAKER dialogue 1 $start $length <NA> <NA> $voice <NA> <NA>" >> "$work/rttm"
  start=$(echo "$start $length" | awk '{ printf "%.3f", $1 + $2 + 0.5 }')
  [ $# -eq 0 ] || set -- "$@" "$work/pause.wav"
  set -- "$@" "$wav"
done < "$work/script"

sox -q "$@" -r 16000 -b 16 -c 1 "$folder/dialogue.wav"
cut -d'|' -f2 "$work/script" > "$folder/dialogue.txt"
mv "$work/rttm" "$folder/dialogue.rttm"
