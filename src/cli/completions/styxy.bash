# Completions of styxy for bash: styxy itself says what fits. Written by `styxy completions bash`.
_styxy() {
    local rest=${COMP_LINE:0:COMP_POINT} words=() word cut i
    # readline cuts words at : = and @ too; here they are put together again, up to the cursor.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $i -eq 0 || $rest == [[:space:]]* ]]; then
            rest=${rest#"${rest%%[![:space:]]*}"}
            words+=('')
        fi
        [[ $i -lt COMP_CWORD ]] || word=$rest
        words[${#words[@]} - 1]+=$word
        rest=${rest#"$word"}
    done
    local current=${words[${#words[@]} - 1]}
    COMPREPLY=()

    # What stands behind the two dashes is another command's.
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        if [[ ${words[i]} == -- ]]; then
            if ((i == ${#words[@]} - 2)); then
                mapfile -t COMPREPLY < <(compgen -c -- "$current")
            fi
            return
        fi
    done

    mapfile -t COMPREPLY < <("${words[0]}" completions bash -- "${words[@]}" 2>/dev/null)
    # readline replaces only what stands behind its last cut.
    cut=$current
    for i in : = @; do
        [[ $COMP_WORDBREAKS != *"$i"* ]] || cut=${cut//"$i"/$'\n'}
    done
    cut=${cut%"${cut##*$'\n'}"}
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]:${#cut}}
    done
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace
    fi
}
complete -o bashdefault -o default -F _styxy styxy
