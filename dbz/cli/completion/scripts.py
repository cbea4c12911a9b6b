"""What shells source: it asks `dbz __complete` for candidates, and adds files where dbz says that one may stand."""

from __future__ import annotations

ASK = "__complete"
"""The hidden first word; the words up to the cursor follow. The answer: `files` or `words`, then a candidate a line."""

INSTALLING = {
    "bash": (
        "mkdir -p ~/.local/share/bash-completion/completions",
        "dbz completion bash > ~/.local/share/bash-completion/completions/dbz",
    ),
    "zsh": ("mkdir -p ~/.zfunc", "dbz completion zsh > ~/.zfunc/_dbz"),
    "fish": ("mkdir -p ~/.config/fish/completions", "dbz completion fish > ~/.config/fish/completions/dbz.fish"),
}
"""What puts the script where each new shell finds it, also in a home that has no such folder yet. Of zsh only once
`fpath` has that folder."""

_BASH = f"""\
# To have it in every shell: {" && ".join(INSTALLING["bash"])}
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
# To have it in every shell: {" && ".join(INSTALLING["zsh"])}
# and in ~/.zshrc, before compinit: fpath+=~/.zfunc
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
# To have it in every shell: {" && ".join(INSTALLING["fish"])}
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
