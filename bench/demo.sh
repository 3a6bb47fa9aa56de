#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# demo.sh BUILD - profiles the whole machine for 10 s under a bundled workload, prints the report
# and writes a pprof file beside it.
set -eu

build=$1
seconds=10
stream=$build/demo.prof
pprof=$build/demo.pb.gz
page=$build/demo.html
sudo=

if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "demo: profiling a whole machine needs root, and there is no sudo; run make demo as root" >&2
		exit 1
	fi
	sudo=sudo
	$sudo -v || exit 1
fi

"$build/workloads/mix" -d $((seconds + 5)) >/dev/null &
workload=$!
trap 'kill $workload 2>/dev/null || true' EXIT INT TERM

echo "profiling the whole machine for $seconds s, at 1000 Hz, while $build/workloads/mix runs"
rm -f "$stream"
$sudo "$build/bin/profiler" --hz 1000 --hw-events -d $seconds -o "$stream"
[ -z "$sudo" ] || $sudo chown "$(id -u):$(id -g)" "$stream"

echo
"$build/bin/profiler-report" "$stream"
"$build/bin/profiler-pprof" "$stream" >"$pprof"
"$build/bin/profiler-flamegraph" -o "$page" "$stream"
echo
echo "page:   $page (open in a browser: flame graph, timeline, table)"
echo "stream: $stream (look again with: $build/bin/profiler-report $stream)"
echo "pprof:  $pprof (open with: go tool pprof -http=: $pprof)"
