complete -c lsallns -s p -l pid -d 'Only the namespaces of this process' -r
complete -c lsallns -s o -l output -d 'Which columns to show (comma-separated)' -r -f -a "namespace\t'type and inode'
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
complete -c lsallns -s i -r -F
complete -c lsallns -s f -l filter -d 'Only these types (comma-separated): mnt/m, cgroup/c, uts/u, ipc/i, user/U, pid/p, net/n, time/t' -r
complete -c lsallns -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c lsallns -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c lsallns -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c lsallns -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
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
complete -c lsallns -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c lsallns -l theme -d 'Colours for a dark or a light background, or as in a theme file' -r -F
complete -c lsallns -l proc -d 'Which name of a process to show: its own, or how its program was called' -r -f -a "name\t'its name, as in /proc/PID/comm'
basename\t'the last part of its program\'s path, as it was called'
exe\t'its program\'s path, as it was called'"
complete -c lsallns -l cgroup -d 'How to show cgroup paths; short cuts long container ids' -r -f -a "full\t'as they are'
short\t'container ids of 64 hexadecimal digits cut to the first 12'"
complete -c lsallns -l noheadings -d 'Leave out the line of headings'
complete -c lsallns -l json -d 'Print JSON: an object with the list "namespaces"'
complete -c lsallns -l jsonl -d 'Print JSON, one namespace per line'
complete -c lsallns -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c lsallns -s c -l color -d 'When to use colours: auto, always (also without a value), never'
complete -c lsallns -l dump-theme -d 'Print the theme in force, as a theme file'
complete -c lsallns -l icon -d 'Show an icon before each namespace'
complete -c lsallns -l all-leaders -d 'Show all leaders of a namespace, not just the most senior one'
complete -c lsallns -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lsallns -s q -l quiet -d 'Say nothing but errors'
complete -c lsallns -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lsallns -s V -l version -d 'Print version'
