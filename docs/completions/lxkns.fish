# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_lxkns_global_optspecs
    string join \n p/pid= o/output= noheadings json jsonl i= f/filter= input= tier= bpf= skip= proc-root= strict c/color theme= dump-theme proc= icon cgroup= all-leaders v/verbose q/quiet h/help V/version
end

function __fish_lxkns_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_lxkns_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_lxkns_using_subcommand
    set -l cmd (__fish_lxkns_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c lxkns -n "__fish_lxkns_needs_command" -s p -l pid -d 'Only the namespaces of this process' -r
complete -c lxkns -n "__fish_lxkns_needs_command" -s o -l output -d 'Which columns to show (comma-separated)' -r -f -a "namespace\t'type and inode'
type\t'type'
inode\t'inode'
owner\t'the user namespace that owns it (user namespaces: their parent)'
parent\t'the namespace that it nests in (PID and user namespaces)'
holders\t'how many processes, threads, fds, sockets, and mounts hold it'
processes\t'how many processes are in it'
pid\t'the leader\'s PID'
process\t'the leader\'s name'
command\t'the leader\'s command line'
cgroup\t'the leader\'s cgroup'
creator\t'who created it (user namespaces)'
comment\t'the leader\'s cgroup, or why it exists without a process'"
complete -c lxkns -n "__fish_lxkns_needs_command" -s i -r -F
complete -c lxkns -n "__fish_lxkns_needs_command" -s f -l filter -d 'Only these types (comma-separated): mnt/m, cgroup/c, uts/u, ipc/i, user/U, pid/p, net/n, time/t' -r
complete -c lxkns -n "__fish_lxkns_needs_command" -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c lxkns -n "__fish_lxkns_needs_command" -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c lxkns -n "__fish_lxkns_needs_command" -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c lxkns -n "__fish_lxkns_needs_command" -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
threads\t''
fds\t''
sockets\t''
mounts\t''
kernel\t''
hierarchy\t''
ownership\t''
cmdline\t''
cgroup\t''
credentials\t''"
complete -c lxkns -n "__fish_lxkns_needs_command" -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c lxkns -n "__fish_lxkns_needs_command" -l theme -d 'Colours for a dark or a light background, or as in a theme file' -r -F
complete -c lxkns -n "__fish_lxkns_needs_command" -l proc -d 'Which name of a process to show: its own, or how its program was called' -r -f -a "name\t'its name, as in /proc/PID/comm'
basename\t'the last part of its program\'s path, as it was called'
exe\t'its program\'s path, as it was called'"
complete -c lxkns -n "__fish_lxkns_needs_command" -l cgroup -d 'How to show cgroup paths; short cuts long container ids' -r -f -a "full\t'as they are'
short\t'container ids of 64 hexadecimal digits cut to the first 12'"
complete -c lxkns -n "__fish_lxkns_needs_command" -l noheadings -d 'Leave out the line of headings'
complete -c lxkns -n "__fish_lxkns_needs_command" -l json -d 'Print JSON: an object with the list "namespaces"'
complete -c lxkns -n "__fish_lxkns_needs_command" -l jsonl -d 'Print JSON, one namespace per line'
complete -c lxkns -n "__fish_lxkns_needs_command" -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c lxkns -n "__fish_lxkns_needs_command" -s c -l color -d 'When to use colours: auto, always (also without a value), never'
complete -c lxkns -n "__fish_lxkns_needs_command" -l dump-theme -d 'Print the theme in force, as a theme file'
complete -c lxkns -n "__fish_lxkns_needs_command" -l icon -d 'Show an icon before each namespace'
complete -c lxkns -n "__fish_lxkns_needs_command" -l all-leaders -d 'Show all leaders of a namespace, not just the most senior one'
complete -c lxkns -n "__fish_lxkns_needs_command" -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lxkns -n "__fish_lxkns_needs_command" -s q -l quiet -d 'Say nothing but errors'
complete -c lxkns -n "__fish_lxkns_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_needs_command" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "lsallns" -d 'List all namespaces of this machine in one flat table'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "lsuns" -d 'Show the tree of user namespaces'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "lspidns" -d 'Show the tree of PID namespaces'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "pidtree" -d 'Show the process tree with the PID namespaces in which it nests'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "nscaps" -d 'Show which capabilities a process has in a namespace'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "dumpns" -d 'Print all namespaces and processes as JSON, in the lxkns wire format'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "snapshot" -d 'Print all there is to know about this machine\'s namespaces as JSON'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "features" -d 'Show what this kernel and these privileges allow'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "why" -d 'Tell who keeps a namespace alive, and what it takes for it to go away'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "exec" -d 'Run a command inside namespaces, also such that no process is in'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "umount" -d 'Unmount something in another mount namespace, without running a program there'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "diff" -d 'Show what has changed between two snapshots, or between one and now'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "pid" -d 'Show the PIDs that a process has in all of its PID namespaces'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "links" -d 'Create links to lxkns by which lsallns, lsuns and others are commands of their own'
complete -c lxkns -n "__fish_lxkns_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -s p -l pid -d 'Only the namespaces of this process' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -s o -l output -d 'Which columns to show (comma-separated)' -r -f -a "namespace\t'type and inode'
type\t'type'
inode\t'inode'
owner\t'the user namespace that owns it (user namespaces: their parent)'
parent\t'the namespace that it nests in (PID and user namespaces)'
holders\t'how many processes, threads, fds, sockets, and mounts hold it'
processes\t'how many processes are in it'
pid\t'the leader\'s PID'
process\t'the leader\'s name'
command\t'the leader\'s command line'
cgroup\t'the leader\'s cgroup'
creator\t'who created it (user namespaces)'
comment\t'the leader\'s cgroup, or why it exists without a process'"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -s i -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -s f -l filter -d 'Only these types (comma-separated): mnt/m, cgroup/c, uts/u, ipc/i, user/U, pid/p, net/n, time/t' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
threads\t''
fds\t''
sockets\t''
mounts\t''
kernel\t''
hierarchy\t''
ownership\t''
cmdline\t''
cgroup\t''
credentials\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l theme -d 'Colours for a dark or a light background, or as in a theme file' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l proc -d 'Which name of a process to show: its own, or how its program was called' -r -f -a "name\t'its name, as in /proc/PID/comm'
basename\t'the last part of its program\'s path, as it was called'
exe\t'its program\'s path, as it was called'"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l cgroup -d 'How to show cgroup paths; short cuts long container ids' -r -f -a "full\t'as they are'
short\t'container ids of 64 hexadecimal digits cut to the first 12'"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l noheadings -d 'Leave out the line of headings'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l json -d 'Print JSON: an object with the list "namespaces"'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l jsonl -d 'Print JSON, one namespace per line'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -s c -l color -d 'When to use colours: auto, always (also without a value), never'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l dump-theme -d 'Print the theme in force, as a theme file'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l icon -d 'Show an icon before each namespace'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -l all-leaders -d 'Show all leaders of a namespace, not just the most senior one'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -s q -l quiet -d 'Say nothing but errors'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsallns" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -s f -l filter -d 'Only these types (comma-separated): mnt/m, cgroup/c, uts/u, ipc/i, user/U, pid/p, net/n, time/t' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
threads\t''
fds\t''
sockets\t''
mounts\t''
kernel\t''
hierarchy\t''
ownership\t''
cmdline\t''
cgroup\t''
credentials\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l treestyle -d 'What to draw trees with' -r -f -a "line\t'with lines'
ascii\t'with ASCII characters for lines'"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l theme -d 'Colours for a dark or a light background, or as in a theme file' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l proc -d 'Which name of a process to show: its own, or how its program was called' -r -f -a "name\t'its name, as in /proc/PID/comm'
basename\t'the last part of its program\'s path, as it was called'
exe\t'its program\'s path, as it was called'"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l cgroup -d 'How to show cgroup paths; short cuts long container ids' -r -f -a "full\t'as they are'
short\t'container ids of 64 hexadecimal digits cut to the first 12'"
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -s d -l details -d 'Show the other namespaces that each user namespace owns, too'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l json -d 'Print JSON: user namespaces with their children (and with --details what they own, in "owned")'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -s c -l color -d 'When to use colours: auto, always (also without a value), never'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l dump-theme -d 'Print the theme in force, as a theme file'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l icon -d 'Show an icon before each namespace'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -l all-leaders -d 'Show all leaders of a namespace, not just the most senior one'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -s q -l quiet -d 'Say nothing but errors'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand lsuns" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
threads\t''
fds\t''
sockets\t''
mounts\t''
kernel\t''
hierarchy\t''
ownership\t''
cmdline\t''
cgroup\t''
credentials\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l treestyle -d 'What to draw trees with' -r -f -a "line\t'with lines'
ascii\t'with ASCII characters for lines'"
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l theme -d 'Colours for a dark or a light background, or as in a theme file' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l proc -d 'Which name of a process to show: its own, or how its program was called' -r -f -a "name\t'its name, as in /proc/PID/comm'
basename\t'the last part of its program\'s path, as it was called'
exe\t'its program\'s path, as it was called'"
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l cgroup -d 'How to show cgroup paths; short cuts long container ids' -r -f -a "full\t'as they are'
short\t'container ids of 64 hexadecimal digits cut to the first 12'"
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -s u -l user -d 'Show the owning user namespaces in between'
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l json -d 'Print JSON: PID namespaces (and with --user their owners) with their children'
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -s c -l color -d 'When to use colours: auto, always (also without a value), never'
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l dump-theme -d 'Print the theme in force, as a theme file'
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l icon -d 'Show an icon before each namespace'
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -l all-leaders -d 'Show all leaders of a namespace, not just the most senior one'
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -s q -l quiet -d 'Say nothing but errors'
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand lspidns" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -s p -l pid -d 'The process with this PID' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -s n -l ns -d 'The PID namespace in which that PID is meant [default: the one of the scan]' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
threads\t''
fds\t''
sockets\t''
mounts\t''
kernel\t''
hierarchy\t''
ownership\t''
cmdline\t''
cgroup\t''
credentials\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l treestyle -d 'What to draw trees with' -r -f -a "line\t'with lines'
ascii\t'with ASCII characters for lines'"
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l theme -d 'Colours for a dark or a light background, or as in a theme file' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l proc -d 'Which name of a process to show: its own, or how its program was called' -r -f -a "name\t'its name, as in /proc/PID/comm'
basename\t'the last part of its program\'s path, as it was called'
exe\t'its program\'s path, as it was called'"
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l cgroup -d 'How to show cgroup paths; short cuts long container ids' -r -f -a "full\t'as they are'
short\t'container ids of 64 hexadecimal digits cut to the first 12'"
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l json -d 'Print JSON: PID namespaces and processes with their children'
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -s c -l color -d 'When to use colours: auto, always (also without a value), never'
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l dump-theme -d 'Print the theme in force, as a theme file'
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l icon -d 'Show an icon before each namespace'
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -l all-leaders -d 'Show all leaders of a namespace, not just the most senior one'
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -s q -l quiet -d 'Say nothing but errors'
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand pidtree" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -s p -l pid -d 'The process with this PID' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -s n -l ns -d 'The PID namespace in which that PID is meant [default: the one of the scan]' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
threads\t''
fds\t''
sockets\t''
mounts\t''
kernel\t''
hierarchy\t''
ownership\t''
cmdline\t''
cgroup\t''
credentials\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l treestyle -d 'What to draw trees with' -r -f -a "line\t'with lines'
ascii\t'with ASCII characters for lines'"
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l theme -d 'Colours for a dark or a light background, or as in a theme file' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l proc -d 'Which name of a process to show: its own, or how its program was called' -r -f -a "name\t'its name, as in /proc/PID/comm'
basename\t'the last part of its program\'s path, as it was called'
exe\t'its program\'s path, as it was called'"
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l cgroup -d 'How to show cgroup paths; short cuts long container ids' -r -f -a "full\t'as they are'
short\t'container ids of 64 hexadecimal digits cut to the first 12'"
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l proccaps -d 'Whether to list the process\'s own effective capabilities'
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -s b -l brief -d 'Sum up the capabilities in the namespace instead of listing them'
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l json -d 'Print JSON: an object with "verdict", "capabilities", and if the verdict is unknown, "reason"'
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -s c -l color -d 'When to use colours: auto, always (also without a value), never'
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l dump-theme -d 'Print the theme in force, as a theme file'
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l icon -d 'Show an icon before each namespace'
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -l all-leaders -d 'Show all leaders of a namespace, not just the most senior one'
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -s q -l quiet -d 'Say nothing but errors'
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand nscaps" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -s i -l indent -d 'Indent with so many spaces, at most 8' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -s f -l filter -d 'Only these types (comma-separated): mnt/m, cgroup/c, uts/u, ipc/i, user/U, pid/p, net/n, time/t' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
threads\t''
fds\t''
sockets\t''
mounts\t''
kernel\t''
hierarchy\t''
ownership\t''
cmdline\t''
cgroup\t''
credentials\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -s c -l compact -d 'Print without any blanks'
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -s t -l tab -d 'Indent with tabs'
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -s q -l quiet -d 'Say nothing but errors'
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand dumpns" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand snapshot" -s f -l filter -d 'Only these types (comma-separated): mnt/m, cgroup/c, uts/u, ipc/i, user/U, pid/p, net/n, time/t' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand snapshot" -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand snapshot" -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand snapshot" -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand snapshot" -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
threads\t''
fds\t''
sockets\t''
mounts\t''
kernel\t''
hierarchy\t''
ownership\t''
cmdline\t''
cgroup\t''
credentials\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand snapshot" -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c lxkns -n "__fish_lxkns_using_subcommand snapshot" -l compact -d 'Print without any blanks'
complete -c lxkns -n "__fish_lxkns_using_subcommand snapshot" -l jsonl -d 'Print one object per line'
complete -c lxkns -n "__fish_lxkns_using_subcommand snapshot" -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c lxkns -n "__fish_lxkns_using_subcommand snapshot" -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lxkns -n "__fish_lxkns_using_subcommand snapshot" -s q -l quiet -d 'Say nothing but errors'
complete -c lxkns -n "__fish_lxkns_using_subcommand snapshot" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand snapshot" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand features" -l theme -d 'Colours for a dark or a light background, or as in a theme file' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand features" -l proc -d 'Which name of a process to show: its own, or how its program was called' -r -f -a "name\t'its name, as in /proc/PID/comm'
basename\t'the last part of its program\'s path, as it was called'
exe\t'its program\'s path, as it was called'"
complete -c lxkns -n "__fish_lxkns_using_subcommand features" -l cgroup -d 'How to show cgroup paths; short cuts long container ids' -r -f -a "full\t'as they are'
short\t'container ids of 64 hexadecimal digits cut to the first 12'"
complete -c lxkns -n "__fish_lxkns_using_subcommand features" -l json -d 'Print JSON: an object with "features", "tier", "bpf" and "privileges"'
complete -c lxkns -n "__fish_lxkns_using_subcommand features" -s c -l color -d 'When to use colours: auto, always (also without a value), never'
complete -c lxkns -n "__fish_lxkns_using_subcommand features" -l dump-theme -d 'Print the theme in force, as a theme file'
complete -c lxkns -n "__fish_lxkns_using_subcommand features" -l icon -d 'Show an icon before each namespace'
complete -c lxkns -n "__fish_lxkns_using_subcommand features" -l all-leaders -d 'Show all leaders of a namespace, not just the most senior one'
complete -c lxkns -n "__fish_lxkns_using_subcommand features" -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lxkns -n "__fish_lxkns_using_subcommand features" -s q -l quiet -d 'Say nothing but errors'
complete -c lxkns -n "__fish_lxkns_using_subcommand features" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand features" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l mount -d 'Tell instead which mount namespaces have what is mounted at this path, or is on this block device' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
threads\t''
fds\t''
sockets\t''
mounts\t''
kernel\t''
hierarchy\t''
ownership\t''
cmdline\t''
cgroup\t''
credentials\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l theme -d 'Colours for a dark or a light background, or as in a theme file' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l proc -d 'Which name of a process to show: its own, or how its program was called' -r -f -a "name\t'its name, as in /proc/PID/comm'
basename\t'the last part of its program\'s path, as it was called'
exe\t'its program\'s path, as it was called'"
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l cgroup -d 'How to show cgroup paths; short cuts long container ids' -r -f -a "full\t'as they are'
short\t'container ids of 64 hexadecimal digits cut to the first 12'"
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l json -d 'Print JSON: the namespace with its holders, and in "steps" what has to happen'
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -s c -l color -d 'When to use colours: auto, always (also without a value), never'
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l dump-theme -d 'Print the theme in force, as a theme file'
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l icon -d 'Show an icon before each namespace'
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -l all-leaders -d 'Show all leaders of a namespace, not just the most senior one'
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -s q -l quiet -d 'Say nothing but errors'
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand why" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand exec" -l of -d 'All namespaces of this process, but for those types that are given' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand exec" -l preserve-credentials -d 'Stay the same user in a user namespace, instead of becoming its root'
complete -c lxkns -n "__fish_lxkns_using_subcommand exec" -l keep-privileges -d 'Keep all your rights, even if the program comes from a mount namespace that is not yours: its makers chose the program, and can do with these rights as they please'
complete -c lxkns -n "__fish_lxkns_using_subcommand exec" -l keep-env -d 'Keep your environment, even if the program comes from a mount namespace that is not yours'
complete -c lxkns -n "__fish_lxkns_using_subcommand exec" -l show -d 'Only print the nsenter command that enters the same namespaces'
complete -c lxkns -n "__fish_lxkns_using_subcommand exec" -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lxkns -n "__fish_lxkns_using_subcommand exec" -s q -l quiet -d 'Say nothing but errors'
complete -c lxkns -n "__fish_lxkns_using_subcommand exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand exec" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand umount" -l mount-id -d 'Unmount only the mount with this ID' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand umount" -l lazy -d 'Detach the mount at once, even if it is in use, and all mounts below it'
complete -c lxkns -n "__fish_lxkns_using_subcommand umount" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand umount" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -l ignore -d 'What is no change: who else holds a namespace, who else leads it (comma-separated)' -r -f -a "holders\t''
leaders\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -l theme -d 'Colours for a dark or a light background, or as in a theme file' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -l proc -d 'Which name of a process to show: its own, or how its program was called' -r -f -a "name\t'its name, as in /proc/PID/comm'
basename\t'the last part of its program\'s path, as it was called'
exe\t'its program\'s path, as it was called'"
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -l cgroup -d 'How to show cgroup paths; short cuts long container ids' -r -f -a "full\t'as they are'
short\t'container ids of 64 hexadecimal digits cut to the first 12'"
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -l json -d 'Print JSON: an object with "added", "removed" and "changed"'
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -s c -l color -d 'When to use colours: auto, always (also without a value), never'
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -l dump-theme -d 'Print the theme in force, as a theme file'
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -l icon -d 'Show an icon before each namespace'
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -l all-leaders -d 'Show all leaders of a namespace, not just the most senior one'
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -s q -l quiet -d 'Say nothing but errors'
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand diff" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l from -d 'The PID namespace in which that PID is meant [default: the one of the scan]' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l to -d 'Print nothing but the PID in this PID namespace' -r
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
threads\t''
fds\t''
sockets\t''
mounts\t''
kernel\t''
hierarchy\t''
ownership\t''
cmdline\t''
cgroup\t''
credentials\t''"
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l theme -d 'Colours for a dark or a light background, or as in a theme file' -r -F
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l proc -d 'Which name of a process to show: its own, or how its program was called' -r -f -a "name\t'its name, as in /proc/PID/comm'
basename\t'the last part of its program\'s path, as it was called'
exe\t'its program\'s path, as it was called'"
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l cgroup -d 'How to show cgroup paths; short cuts long container ids' -r -f -a "full\t'as they are'
short\t'container ids of 64 hexadecimal digits cut to the first 12'"
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l json -d 'Print JSON: an object with "pids", a list of objects with "pid" and "namespace"'
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -s c -l color -d 'When to use colours: auto, always (also without a value), never'
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l dump-theme -d 'Print the theme in force, as a theme file'
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l icon -d 'Show an icon before each namespace'
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -l all-leaders -d 'Show all leaders of a namespace, not just the most senior one'
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -s q -l quiet -d 'Say nothing but errors'
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand pid" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand links" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lxkns -n "__fish_lxkns_using_subcommand links" -s V -l version -d 'Print version'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "lsallns" -d 'List all namespaces of this machine in one flat table'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "lsuns" -d 'Show the tree of user namespaces'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "lspidns" -d 'Show the tree of PID namespaces'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "pidtree" -d 'Show the process tree with the PID namespaces in which it nests'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "nscaps" -d 'Show which capabilities a process has in a namespace'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "dumpns" -d 'Print all namespaces and processes as JSON, in the lxkns wire format'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "snapshot" -d 'Print all there is to know about this machine\'s namespaces as JSON'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "features" -d 'Show what this kernel and these privileges allow'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "why" -d 'Tell who keeps a namespace alive, and what it takes for it to go away'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "exec" -d 'Run a command inside namespaces, also such that no process is in'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "umount" -d 'Unmount something in another mount namespace, without running a program there'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "diff" -d 'Show what has changed between two snapshots, or between one and now'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "pid" -d 'Show the PIDs that a process has in all of its PID namespaces'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "links" -d 'Create links to lxkns by which lsallns, lsuns and others are commands of their own'
complete -c lxkns -n "__fish_lxkns_using_subcommand help; and not __fish_seen_subcommand_from lsallns lsuns lspidns pidtree nscaps dumpns snapshot features why exec umount diff pid links help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
