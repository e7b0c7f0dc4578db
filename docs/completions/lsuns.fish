complete -c lsuns -s f -l filter -d 'Only these types (comma-separated): mnt/m, cgroup/c, uts/u, ipc/i, user/U, pid/p, net/n, time/t' -r
complete -c lsuns -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c lsuns -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c lsuns -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c lsuns -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
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
complete -c lsuns -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c lsuns -l treestyle -d 'What to draw trees with' -r -f -a "line\t'with lines'
ascii\t'with ASCII characters for lines'"
complete -c lsuns -l theme -d 'Colours for a dark or a light background, or as in a theme file' -r -F
complete -c lsuns -l proc -d 'Which name of a process to show: its own, or how its program was called' -r -f -a "name\t'its name, as in /proc/PID/comm'
basename\t'the last part of its program\'s path, as it was called'
exe\t'its program\'s path, as it was called'"
complete -c lsuns -l cgroup -d 'How to show cgroup paths; short cuts long container ids' -r -f -a "full\t'as they are'
short\t'container ids of 64 hexadecimal digits cut to the first 12'"
complete -c lsuns -s d -l details -d 'Show the other namespaces that each user namespace owns, too'
complete -c lsuns -l json -d 'Print JSON: user namespaces with their children (and with --details what they own, in "owned")'
complete -c lsuns -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c lsuns -s c -l color -d 'When to use colours: auto, always (also without a value), never'
complete -c lsuns -l dump-theme -d 'Print the theme in force, as a theme file'
complete -c lsuns -l icon -d 'Show an icon before each namespace'
complete -c lsuns -l all-leaders -d 'Show all leaders of a namespace, not just the most senior one'
complete -c lsuns -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c lsuns -s q -l quiet -d 'Say nothing but errors'
complete -c lsuns -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lsuns -s V -l version -d 'Print version'
