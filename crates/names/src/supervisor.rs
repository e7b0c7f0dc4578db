//! Command lines of the processes that look after workloads from outside.

use lxkns_model::{Engine, Text};

/// Whether a program of this name (as in `/proc/PID/comm`) is what starts the first process of a
/// workload of this engine; `None` if that is not known of the engine.
///
/// ```
/// use lxkns_model::Engine;
/// use lxkns_names::supervisor::starts;
///
/// assert_eq!(starts(Engine::Docker, b"containerd-shim"), Some(true));
/// assert_eq!(starts(Engine::Podman, b"systemd-nspawn"), Some(false));
/// ```
pub fn starts(engine: Engine, comm: &[u8]) -> Option<bool> {
    let names: &[&[u8]] = match engine {
        Engine::Docker | Engine::Nerdctl => &[b"containerd-shim"],
        Engine::Cri => &[b"containerd-shim", b"conmon"],
        Engine::Podman | Engine::Crio => &[b"conmon"],
        Engine::Lxc => &[b"lxc", b"[lxc", b"lxd", b"incus"],
        Engine::Nspawn => &[b"systemd-nspawn"],
        Engine::Buildah => &[b"buildah"],
        _ => return None,
    };
    Some(names.iter().any(|name| comm.starts_with(name)))
}

/// The statement of a conmon, which looks after a container of podman or CRI-O.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conmon {
    /// The ID of the container.
    pub id: Text,
    /// The name that the container was created with.
    pub name: Text,
}

/// The statement of a conmon, from its command line.
///
/// `None` for other programs, and for the conmon of an exec session.
///
/// ```
/// use lxkns_names::supervisor::conmon;
///
/// let arguments = ["/usr/bin/conmon", "-c", "877092c8", "-n", "web"].map(Into::into);
/// assert_eq!(conmon(&arguments).unwrap().name.to_str(), Some("web"));
/// ```
pub fn conmon(arguments: &[Text]) -> Option<Conmon> {
    let (program, options) = arguments.split_first()?;
    if program.as_bytes().rsplit(|byte| *byte == b'/').next() != Some(b"conmon") {
        return None;
    }
    let has = |names: &[&[u8]]| options.iter().any(|option| names.contains(&option.as_bytes()));
    if has(&[b"-e", b"--exec-attach", b"--exec-process-spec"]) {
        return None;
    }
    let value_of = |names: [&[u8]; 2]| {
        let at = options.iter().position(|option| names.contains(&option.as_bytes()))?;
        options.get(at + 1).filter(|value| !value.is_empty()).cloned()
    };
    Some(Conmon { id: value_of([b"-c", b"--cid"])?, name: value_of([b"-n", b"--name"])? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Option<(String, String)> {
        let arguments: Vec<Text> = arguments.iter().map(|it| Text::from(*it)).collect();
        let conmon = conmon(&arguments)?;
        let text = |text: Text| text.to_string_lossy().into_owned();
        Some((text(conmon.id), text(conmon.name)))
    }

    #[test]
    fn conmons_name_their_containers() {
        let command = "/usr/bin/conmon --api-version 1 -c 8770 -u 8770 -r /usr/bin/crun -b /b \
            -p /p/pidfile -n web --exit-dir /x --full-attach -l k8s-file:/l";
        let arguments: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(read(&arguments), Some(("8770".into(), "web".into())));
        assert_eq!(read(&["conmon", "-n", "-c", "-c", "1"]), Some(("-c".into(), "-c".into())));
        assert_eq!(read(&["conmon", "-c", "1"]), None);
        assert_eq!(read(&["conmon", "-c", "1", "-n"]), None);
        assert_eq!(read(&["conmon", "-e", "-c", "1", "-n", "web"]), None);
        assert_eq!(read(&["/usr/bin/conman", "-c", "1", "-n", "web"]), None);
        assert_eq!(read(&[]), None);
    }
}
