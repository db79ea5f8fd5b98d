#!/usr/bin/env bash
# Builds the images with buildah, shows their sizes above their base, starts them under runc and sends a recording through
# them. Nothing is pulled from a registry of images: the base is made here, of Debian and the `node` of npm. Needs root,
# `apt-get install buildah runc debootstrap redis-server`, and `npm run setup`; minutes and 5 GB in $WORK, which goes.
# Where the kernel has no overlay file system: DRIVER=vfs, which copies each layer.
#   deploy/containers/check.sh [--committed] [--keep] [--backend s3|local]
# --committed builds what is committed, rather than what lies here; --keep leaves $WORK, and uses what it holds.
set -euo pipefail
cd "$(dirname "$0")/../.."

keep=false
backend=s3
committed=false
while [ $# -gt 0 ]; do
  case "$1" in
    --keep) keep=true ;;
    --committed) committed=true ;;
    --backend) backend=$2; shift ;;
    *) echo "usage: deploy/containers/check.sh [--committed] [--keep] [--backend s3|local]" >&2; exit 2 ;;
  esac
  shift
done

for program in buildah runc debootstrap redis-server; do
  command -v "$program" > /dev/null || { echo "$program is needed" >&2; exit 1; }
done
[ -d node_modules ] || { echo "npm run setup comes first" >&2; exit 1; }
node=$PWD/.scribe/toolchain/node_modules/.bin/node
[ -x "$node" ] || node=$(command -v node)
node=$(readlink -f "$node")

work=${WORK:-/var/tmp/scribe-containers}
mkdir -p "$work/tmp"
export TMPDIR=$work/tmp
buildah=(buildah --root "$work/storage" --runroot "$work/run" --storage-driver "${DRIVER:-overlay}")

clean_up() {
  "${buildah[@]}" rm --all > /dev/null || true
  $keep || rm -rf "$work"
}
trap clean_up EXIT

# The name that the Dockerfiles ask for, over a small Debian with the same Node, npm, and the same user.
base=$(sed -n 's/^ARG NODE=//p' Dockerfile.api)
if ! "${buildah[@]}" inspect --type image "docker.io/library/$base" > /dev/null 2>&1; then
  echo "── base: $base"
  root=$work/base
  rm -rf "$root"
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" http://deb.debian.org/debian > "$work/debootstrap.log"
  cp "$node" "$root/usr/local/bin/node"
  mkdir -p "$root/usr/local/lib/node_modules/npm"
  (cd "$work" && npm pack --silent npm@11.6.2 > /dev/null)
  tar -xzf "$work"/npm-11.6.2.tgz -C "$root/usr/local/lib/node_modules/npm" --strip-components=1
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  chroot "$root" useradd --uid 1000 --user-group --create-home node
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
  # Where the machine trusts further authorities (a proxy's), so do npm and Node while they build.
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  container=$("${buildah[@]}" from scratch)
  "${buildah[@]}" copy -q "$container" "$root" / > /dev/null
  "${buildah[@]}" config --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
    --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  "${buildah[@]}" commit -q --format docker --rm "$container" "docker.io/library/$base" > /dev/null
  rm -rf "$root"
fi

context=.
if $committed; then
  context=$work/context
  rm -rf "$context"
  mkdir "$context"
  git archive HEAD | tar -x -C "$context"
fi

build() {
  echo "── $1"
  local name=$1
  shift
  "${buildah[@]}" build --isolation chroot --network host --pull-never --format docker --tag "$name" "$@" "$context" \
    > "$work/build.log" 2>&1 || { tail -40 "$work/build.log"; exit 1; }
}
build scribe-rabbit/api --file "$context/Dockerfile.api" --target api
build scribe-rabbit/worker-cpu --file "$context/Dockerfile.worker" --target cpu

# What a root holds, in MB of file contents; a hard link counts once.
megabytes() { du --summarize --apparent-size --block-size=1000000 "$1" | cut -f1; }
mounted() { "${buildah[@]}" mount "$("${buildah[@]}" from --pull-never "$1")"; }

base_root=$(mounted "docker.io/library/$base")
api_root=$(mounted localhost/scribe-rabbit/api)
worker_root=$(mounted localhost/scribe-rabbit/worker-cpu)
echo "── sizes"
printf '%-8s %8s %12s %8s %14s %8s\n' image all "above base" node_modules models "the system's"
for name in api worker; do
  declare -n image_root=${name}_root
  whole=$(megabytes "$image_root")
  above=$((whole - $(megabytes "$base_root")))
  app=$(megabytes "$image_root/app")
  models=0
  [ ! -d "$image_root/app/models" ] || models=$(megabytes "$image_root/app/models")
  printf '%-8s %5s MB %9s MB %9s MB %11s MB %5s MB\n' "$name" "$whole" "$above" \
    "$(megabytes "$image_root/app/node_modules")" "$models" "$((above - app))"
  limit=150
  [ "$name" = api ] || limit=250
  [ "$app" -le "$limit" ] || { echo "$name: more than $limit MB of ours"; exit 1; }
done

echo "── start"
"${buildah[@]}" inspect --type image localhost/scribe-rabbit/api > "$work/api.json"
"${buildah[@]}" inspect --type image localhost/scribe-rabbit/worker-cpu > "$work/worker.json"
"$node" deploy/containers/run-images.ts "$work" "$api_root" "$worker_root" "$backend"
echo "── all of it holds"
