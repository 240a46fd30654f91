// SPDX-License-Identifier: MIT

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/**
 * The scripts ask `p2pdma completion --complete -- WORDS` for lines of `WORD<tab>DESCRIPTION`; the
 * last line is `:files`, `:folders` or `:none`, and says what names of files to offer, too. Words
 * travel as arguments: nothing that was typed is evaluated.
 */
export const completionScripts: Readonly<Record<Shell, string>> = {
  bash: `# p2pdma completion for bash: source <(p2pdma completion bash)
_p2pdma() {
	local rest=\${COMP_LINE:0:COMP_POINT} word line wanted=none typed
	local -a words=() lines=()
	# Readline breaks words at = and :, which are parts of ours: put them together again.
	for word in "\${COMP_WORDS[@]:0:COMP_CWORD}"; do
		line=\${rest#"\${rest%%[![:space:]]*}"}
		if [ "$line" = "$rest" ] && [ "\${#words[@]}" -gt 0 ]; then
			words[\${#words[@]}-1]+=$word
		else
			words+=("$word")
		fi
		rest=\${line#"$word"}
	done
	line=\${rest#"\${rest%%[![:space:]]*}"}
	if [ "$line" = "$rest" ] && [ "\${#words[@]}" -gt 1 ]; then
		words[\${#words[@]}-1]+=$line
	else
		words+=("$line")
	fi
	typed=\${words[\${#words[@]}-1]}
	mapfile -t lines < <("$1" completion --complete -- "\${words[@]:1}" 2>/dev/null)
	[ "\${#lines[@]}" -gt 0 ] || return 0
	wanted=\${lines[\${#lines[@]}-1]}
	unset "lines[\${#lines[@]}-1]"
	# Readline replaces what stands behind the last break only.
	local kept=''
	case $typed in *[=:]*) kept=\${typed%"\${typed##*[=:]}"} ;; esac
	COMPREPLY=()
	for line in "\${lines[@]}"; do
		word=\${line%%$'\\t'*}
		COMPREPLY+=("\${word#"$kept"}")
	done
	local path=\${typed#"$kept"}
	if [ "\${#COMPREPLY[@]}" -eq 0 ] || [[ $path == */* ]]; then
		case $wanted in
		:files) compopt -o filenames; mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$path") ;;
		:folders) compopt -o filenames; mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$path") ;;
		esac
	fi
	if [ "\${#COMPREPLY[@]}" -eq 1 ]; then
		case \${COMPREPLY[0]} in *[=:]) compopt -o nospace ;; esac
	fi
}
complete -F _p2pdma p2pdma
`,
  zsh: `#compdef p2pdma
# p2pdma completion for zsh: source <(p2pdma completion zsh), or as _p2pdma in a folder of $fpath
_p2pdma() {
	local -a lines whole open
	local line word about wanted
	lines=("\${(@f)$("\${(Q)words[1]}" completion --complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
	wanted=\${lines[-1]}
	for line in "\${(@)lines[1,-2]}"; do
		word=\${\${line%%$'\\t'*}//:/\\\\:}
		about=\${line#*$'\\t'}
		case $word in
		*(=|:)) open+=("$word:$about") ;;
		*) whole+=("$word:$about") ;;
		esac
	done
	local found=1
	(( $#whole )) && _describe -t values value whole && found=0
	(( $#open )) && _describe -t values value open -S '' && found=0
	[[ $PREFIX == --*=* ]] && compset -P '--[^=]#='
	if (( found )) || [[ $PREFIX == */* ]]; then
		case $wanted in
		:files) _files && found=0 ;;
		:folders) _files -/ && found=0 ;;
		esac
	fi
	return found
}
if [ "\${funcstack[1]}" = _p2pdma ]; then
	_p2pdma "$@"
else
	compdef _p2pdma p2pdma
fi
`,
  fish: `# p2pdma completion for fish: p2pdma completion fish | source
function __p2pdma_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l lines ($words[1] completion --complete -- $words[2..-1] "$typed" 2>/dev/null)
    set -q lines[1]; or return
    for line in $lines[1..-2]
        printf '%s\\n' $line
    end
    set -l option (string match -r -- '^--[^=]*=' "$typed")
    set -l path (string replace -r -- '^--[^=]*=' '' "$typed")
    if test (count $lines) -eq 1; or string match -q -- '*/*' "$path"
        switch $lines[-1]
            case :files
                printf '%s\\n' "$option"(complete -C "'' $path")
            case :folders
                printf '%s\\n' "$option"(complete -C "'' $path" | string match -r '.*/(?:\\t.*)?$')
        end
    end
end
complete -c p2pdma -e
complete -c p2pdma -f -a '(__p2pdma_complete)'
`,
};
