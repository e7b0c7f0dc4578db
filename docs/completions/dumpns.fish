complete -c dumpns -s i -l indent -d 'Indent with so many spaces, at most 8' -r
complete -c dumpns -s f -l filter -d 'Only these types (comma-separated): mnt/m, cgroup/c, uts/u, ipc/i, user/U, pid/p, net/n, time/t' -r
complete -c dumpns -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c dumpns -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c dumpns -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c dumpns -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
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
complete -c dumpns -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c dumpns -s c -l compact -d 'Print without any blanks'
complete -c dumpns -s t -l tab -d 'Indent with tabs'
complete -c dumpns -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c dumpns -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c dumpns -s q -l quiet -d 'Say nothing but errors'
complete -c dumpns -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dumpns -s V -l version -d 'Print version'
