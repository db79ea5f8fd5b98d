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
slt|Hello, this is Christopher from Boston.
rms|Hi, this is Ronald from Chicago.
slt|I need to cancel my old report please.
rms|I paid two hundred and ten dollars for the ticket.
slt|The total is fifty two dollars.
rms|The meeting is on Thursday at four in the afternoon.
slt|I paid seven hundred and seventy nine dollars for the laptop.
rms|I paid seven hundred and seventy nine dollars for the ticket.
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
