"""What shells source: it asks `dbz __complete` for candidates, and adds files where dbz says that one may stand."""

from __future__ import annotations

ASK = "__complete"
"""The hidden first word; the words up to the cursor follow. The answer: `files` or `words`, then a candidate a line."""

_BASH = f"""\
# To have it in every shell: dbz completion bash > ~/.local/share/bash-completion/completions/dbz
_dbz() {{
    local IFS=$'\\n' lines current="${{COMP_WORDS[COMP_CWORD]}}"
    lines=($(dbz {ASK} "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null)) || return
    COMPREPLY=($(printf '%s\\n' "${{lines[@]:1}}" | cut -f 1))
    if [[ ${{lines[0]}} == files ]]; then
        [[ $current == "=" ]] && current=
        compopt -o filenames 2>/dev/null
        COMPREPLY+=($(compgen -f -- "$current"))
    fi
    [[ ${{#COMPREPLY[@]}} == 1 && ${{COMPREPLY[0]}} == *= ]] && compopt -o nospace 2>/dev/null
}}
complete -F _dbz dbz
"""
_ZSH = f"""\
#compdef dbz
# To have it in every shell: dbz completion zsh > "${{fpath[1]}}/_dbz"
_dbz() {{
    local -a lines candidates
    local line value
    lines=("${{(@f)$(dbz {ASK} "${{(@)words[2,CURRENT]}}" 2>/dev/null)}}")
    for line in "${{(@)lines[2,-1]}}"; do
        value="${{line%%$'\\t'*}}"
        [[ -n $value ]] || continue
        value="${{value//:/\\\\:}}"
        [[ $line == *$'\\t'* ]] && value="$value:${{line#*$'\\t'}}"
        candidates+=("$value")
    done
    (( $#candidates )) && _describe dbz candidates
    [[ ${{lines[1]}} == files ]] && _files
    return 0
}}
if [[ $funcstack[1] == _dbz ]]; then _dbz "$@"; else compdef _dbz dbz; fi
"""
_FISH = f"""\
# To have it in every shell: dbz completion fish > ~/.config/fish/completions/dbz.fish
function __dbz_complete
    set -l answer (dbz {ASK} (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)
    or return
    test (count $answer) -gt 1; and printf '%s\\n' $answer[2..-1]
    test "$answer[1]" = files; and __fish_complete_path (commandline -ct)
end
complete -c dbz -f -a '(__dbz_complete)'
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""By the name of the shell."""
