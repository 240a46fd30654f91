#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fuzzes the C helpers' interface with libFuzzer for SECONDS (60) in all, one program after the other.
# What was found out about the code stays in build/fuzz/corpus, so that a later run goes on from there.
#   run.sh [SECONDS] [PROGRAM...]      run.sh --coverage: what the inputs so far reach
set -euo pipefail
cd "$(dirname "$0")"
build=$(realpath -m ../../build/fuzz)
programs=(fuzz-faults fuzz-files fuzz-calls)

missing() {
	echo "p2pdma: fuzzing needs libFuzzer; install clang, then run this again:" >&2
	echo "  sudo apt-get install --no-install-recommends clang llvm libclang-rt-14-dev" >&2
	exit 1
}
command -v clang >/dev/null || missing

coverage() {
	local objects=() profiles=()
	make -s covered
	for name in "${programs[@]}"; do
		[ -d "$build/corpus/$name" ] || continue
		LLVM_PROFILE_FILE="$build/covered/$name.raw" "$build/covered/$name" "$build/corpus/$name"/*
		objects+=(${objects:+-object} "$build/covered/$name")
		profiles+=("$build/covered/$name.raw")
	done
	llvm-profdata merge -o "$build/covered/all" "${profiles[@]}"
	llvm-cov report -ignore-filename-regex='(/c|/fuzz)/[^/]*$' -instr-profile "$build/covered/all" "${objects[@]}" ../../c-helpers/*.c
}

if [ "${1:-}" = --coverage ]; then
	coverage
	exit
fi

seconds=${1:-60}
[ "$#" -gt 0 ] && shift
[ "$#" -gt 0 ] && programs=("$@")
make -s fuzzers
for name in "${programs[@]}"; do
	mkdir -p "$build/corpus/$name" "$build/found"
	echo "$name:"
	log=$build/$name.log
	# Files beyond the size limit are part of what is tried.
	if ! "$build/$name" -max_total_time=$((seconds / ${#programs[@]})) -max_len=600 -len_control=20 \
		-timeout=20 -handle_xfsz=0 -print_final_stats=1 -artifact_prefix="$build/found/" \
		"$build/corpus/$name" >"$log" 2>&1; then
		grep -vE '^#|^\[' "$log" | tail -n 60
		echo "$name found something: $log, and the input in $build/found" >&2
		exit 1
	fi
	grep -E 'DONE|number_of_executed_units|average_exec' "$log" | sed 's/^/  /'
done
