complete -c nscaps -s p -l pid -d 'The process with this PID' -r
complete -c nscaps -s n -l ns -d 'The PID namespace in which that PID is meant [default: the one of the scan]' -r
complete -c nscaps -l input -d 'Show a saved snapshot instead of this machine: a file, or - for standard input' -r -F
complete -c nscaps -l tier -d 'Use no more of the kernel than this [default: the best]' -r -f -a "proc\t''
mounts\t''
ids\t''
listns\t''"
complete -c nscaps -l bpf -d 'Whether to let a BPF iterator list the tasks' -r -f -a "auto\t''
on\t''
off\t''"
complete -c nscaps -l skip -d 'Leave these out of the scan (comma-separated)' -r -f -a "processes\t''
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
complete -c nscaps -l proc-root -d 'Read the procfs that is mounted here' -r -f -a "(__fish_complete_directories)"
complete -c nscaps -l treestyle -d 'What to draw trees with' -r -f -a "line\t'with lines'
ascii\t'with ASCII characters for lines'"
complete -c nscaps -l theme -d 'Colours for a dark or a light background, or as in a theme file' -r -F
complete -c nscaps -l proc -d 'Which name of a process to show: its own, or how its program was called' -r -f -a "name\t'its name, as in /proc/PID/comm'
basename\t'the last part of its program\'s path, as it was called'
exe\t'its program\'s path, as it was called'"
complete -c nscaps -l cgroup -d 'How to show cgroup paths; short cuts long container ids' -r -f -a "full\t'as they are'
short\t'container ids of 64 hexadecimal digits cut to the first 12'"
complete -c nscaps -l proccaps -d 'Whether to list the process\'s own effective capabilities'
complete -c nscaps -s b -l brief -d 'Sum up the capabilities in the namespace instead of listing them'
complete -c nscaps -l json -d 'Print JSON: an object with "verdict", "capabilities", and if the verdict is unknown, "reason"'
complete -c nscaps -l strict -d 'End with exit status 4 if the view is partial; the output is the same'
complete -c nscaps -s c -l color -d 'When to use colours: auto, always (also without a value), never'
complete -c nscaps -l dump-theme -d 'Print the theme in force, as a theme file'
complete -c nscaps -l icon -d 'Show an icon before each namespace'
complete -c nscaps -l all-leaders -d 'Show all leaders of a namespace, not just the most senior one'
complete -c nscaps -s v -l verbose -d 'Name everything that could not be seen; twice: and how the scan went'
complete -c nscaps -s q -l quiet -d 'Say nothing but errors'
complete -c nscaps -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nscaps -s V -l version -d 'Print version'
