# Lists what a header declares without a comment right before it, with its line, and ends with
# "N items, M undocumented"; fails if M is not 0. For headers laid out as include/demask.h and
# include/demask.hpp are: declarations that others see begin at the left margin, members two spaces
# from it.

function item() {
    items++
    if (!documented) { undocumented++; print FILENAME ":" FNR ": " $0 }
    documented = 0
}

/^ *\/\// { documented = 1; next }
/^ ? ?template/ { next }                # what follows is what is documented
/^ (public|private):/ { private = /private/; next }
/^};/ || /^} / { members = 0; documented = 0; next }
/^#define [A-Z0-9_]+ / { item(); next }
/^(typedef struct|struct|class) .*\{$/ {
    item()
    members = 1
    private = 0
    next
}
/^(extern|namespace|inline namespace) .*\{$/ { documented = 0; next }
/^[a-zA-Z]/ { item(); next }
/^  [^ }]/ && members && !private { item(); next }
{ if (!/^   /) documented = 0 }

END {
    print items + 0 " items, " undocumented + 0 " undocumented"
    exit undocumented > 0 || items == 0
}
