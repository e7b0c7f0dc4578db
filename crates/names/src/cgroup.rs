//! Cgroup paths: which workload a process belongs to.
//!
//! Engines and service managers put the processes of a workload into cgroups of their own, and the
//! names of these tell engine, kind and ID. The first component that an engine's name is recognised
//! in counts. All below it belongs to the workload, which may name it as it likes.

use lxkns_model::{Engine, Text, WorkloadKind};

/// The workload that a cgroup path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The engine that made it.
    pub engine: Engine,
    /// The kind of workload.
    pub kind: WorkloadKind,
    /// Whether the process is in it, or looks after it.
    pub role: Role,
    /// The ID that the engine gave it.
    pub id: Option<Text>,
    /// The name, where the path has it.
    pub name: Option<Text>,
    /// The ID of the pod that it is in; a UID of Kubernetes, or an ID of podman.
    pub pod: Option<Text>,
    /// The unit of systemd that it runs in, as `systemctl` shows it.
    pub unit: Option<Text>,
    /// The length of the path up to the end of the recognised component.
    pub end: usize,
}

/// The part of a process in a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is one of its processes.
    Payload,
    /// It looks after it from outside.
    Supervisor,
}

/// The mark of a path; `None` if no component of it is an engine's or a unit's.
///
/// ```
/// use lxkns_model::Engine;
///
/// let mark = lxkns_names::cgroup::mark(b"/lxc.payload.web/init.scope").unwrap();
/// assert_eq!(mark.engine, Engine::Lxc);
/// assert_eq!(mark.name.unwrap().to_str(), Some("web"));
/// // What is below belongs to the container.
/// assert_eq!(mark.end, "/lxc.payload.web".len());
/// ```
pub fn mark(path: &[u8]) -> Option<Mark> {
    let mut above: Vec<&[u8]> = Vec::new();
    let mut unit = None;
    let mut end = 0;
    for component in path.strip_prefix(b"/")?.split(|byte| *byte == b'/') {
        end += 1 + component.len();
        if component == b".." {
            // Outside of the reader's cgroup namespace: the component below is seen from nowhere.
            return None;
        }
        if let Some(found) = container(component, &above) {
            let unit = unit.map(|(name, _)| Text::from(name));
            return Some(Mark { unit, end, ..found });
        }
        // Systemd nests no unit in another one. What looks like that is made by the outer one.
        if unit.is_none() && is_unit(component) {
            unit = Some((component, end));
        }
        above.push(component);
    }
    let (name, end) = unit?;
    Some(Mark { name: Some(name.into()), end, ..payload(Engine::Systemd, WorkloadKind::Unit) })
}

fn payload(engine: Engine, kind: WorkloadKind) -> Mark {
    let (role, end) = (Role::Payload, 0);
    Mark { engine, kind, role, id: None, name: None, pod: None, unit: None, end }
}

/// A unit of systemd that processes are in.
fn is_unit(component: &[u8]) -> bool {
    let stem = |suffix: &[u8]| component.strip_suffix(suffix).is_some_and(|stem| !stem.is_empty());
    // `user@1000.service` and `init.scope` manage others, and say nothing of a workload.
    (stem(b".service") || stem(b".scope"))
        && !component.starts_with(b"user@")
        && component != b"init.scope"
}

/// A container, machine or virtual machine, from a component and those above it.
fn container(component: &[u8], above: &[&[u8]]) -> Option<Mark> {
    use WorkloadKind::{Build, Container, Infra, Machine, Sandbox, Vm};
    let parent = above.last().copied().unwrap_or_default();
    let scope = component.strip_suffix(b".scope");
    let with_id = |engine, id: &[u8]| Mark { id: Some(id.into()), ..payload(engine, Container) };
    let named = |engine, kind, name: &[u8]| {
        let name = (!name.is_empty()).then(|| Text::from(name));
        name.map(|name| Mark { name: Some(name), ..payload(engine, kind) })
    };
    let supervisor = |mark: Mark| Mark { role: Role::Supervisor, ..mark };

    // Of the cgroupfs driver: below a directory of the engine's.
    if is_id(component) {
        if parent == b"docker" {
            return Some(with_id(Engine::Docker, component));
        }
        if let Some(pod) = pod_of_kubernetes(parent)
            && above.iter().any(|part| part.starts_with(b"kubepods"))
        {
            let pod = Some(Text::from(pod));
            return Some(Mark { pod, ..with_id(Engine::Cri, component) });
        }
        return None;
    }
    for (prefix, engine, role) in PREFIXES {
        let Some(id) = scope.unwrap_or(component).strip_prefix(*prefix) else { continue };
        // Only these are made without a scope around them.
        if !is_id(id) || scope.is_none() && matches!(engine, Engine::Docker | Engine::Nerdctl) {
            continue;
        }
        let pod = match engine {
            Engine::Podman => pod_of_podman(parent).map(Text::from),
            _ => pod_of_kubernetes(parent).map(Text::from),
        };
        return Some(Mark { pod, role: *role, ..with_id(*engine, id) });
    }
    if let Some(name) = component.strip_prefix(b"lxc.payload.") {
        return named(Engine::Lxc, Container, name);
    }
    if let Some(name) = component.strip_prefix(b"lxc.monitor.") {
        return named(Engine::Lxc, Container, name).map(supervisor);
    }
    if let Some(name) = scope.and_then(|scope| scope.strip_prefix(b"machine-")) {
        let name = unescape(name);
        let of_libvirt = |prefix: &[u8]| name.strip_prefix(prefix).and_then(after_number);
        return match (of_libvirt(b"qemu-"), of_libvirt(b"lxc-")) {
            (Some(vm), _) => named(Engine::Libvirt, Vm, vm),
            (_, Some(container)) => named(Engine::Libvirt, Container, container),
            _ => named(Engine::Nspawn, Machine, &name),
        };
    }
    let service = component.strip_suffix(b".service");
    if let Some(name) = service.and_then(|service| service.strip_prefix(b"systemd-nspawn@")) {
        return named(Engine::Nspawn, Machine, &unescape(name));
    }
    let vm = component.strip_suffix(b".libvirt-qemu").and_then(|it| it.strip_prefix(b"qemu-"));
    if let Some(name) = vm.and_then(after_number) {
        return named(Engine::Libvirt, Vm, name);
    }
    let pause = scope.and_then(|scope| scope.strip_prefix(b"podman-pause-"));
    if let Some(id) = pause.filter(|id| !id.is_empty()) {
        return Some(Mark { id: Some(id.into()), ..payload(Engine::Podman, Infra) });
    }
    if let Some(app) = scope.and_then(|scope| scope.strip_prefix(b"app-flatpak-")) {
        let end = app.iter().rposition(|byte| *byte == b'-')?;
        return named(Engine::Flatpak, Sandbox, &unescape(app.get(..end)?));
    }
    if let Some(snap) = scope.or(service).and_then(|unit| unit.strip_prefix(b"snap.")) {
        let mut parts = snap.split(|byte| *byte == b'.');
        return named(Engine::Snap, Sandbox, parts.next()?);
    }
    let build = component.strip_prefix(b"buildah-");
    build.and_then(|id| named(Engine::Buildah, Build, id))
}

/// Prefixes of IDs, with or without `.scope` behind them.
const PREFIXES: &[(&[u8], Engine, Role)] = &[
    (b"docker-", Engine::Docker, Role::Payload),
    (b"nerdctl-", Engine::Nerdctl, Role::Payload),
    (b"libpod-conmon-", Engine::Podman, Role::Supervisor),
    (b"libpod-payload-", Engine::Podman, Role::Payload),
    (b"libpod-", Engine::Podman, Role::Payload),
    (b"cri-containerd-", Engine::Cri, Role::Payload),
    (b"crio-conmon-", Engine::Crio, Role::Supervisor),
    (b"crio-", Engine::Crio, Role::Payload),
];

/// The 64 hexadecimal digits that engines name containers by.
fn is_id(text: &[u8]) -> bool {
    text.len() == 64 && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The ID of a pod of podman, from the cgroup that its containers are in.
fn pod_of_podman(parent: &[u8]) -> Option<&[u8]> {
    if is_id(parent) {
        return Some(parent);
    }
    let slice = parent.strip_suffix(b".slice")?;
    let at = slice.windows(POD_INFIX.len()).rposition(|window| window == POD_INFIX)?;
    slice.get(at + POD_INFIX.len()..).filter(|id| is_id(id))
}

const POD_INFIX: &[u8] = b"-libpod_pod_";

/// The UID of a pod of Kubernetes, from the cgroup that its containers are in:
/// `pod1f0c…` or `kubepods-burstable-pod1f0c_….slice`.
fn pod_of_kubernetes(parent: &[u8]) -> Option<Vec<u8>> {
    let uid = match parent.strip_suffix(b".slice") {
        Some(slice) => {
            let slice = slice.strip_prefix(b"kubepods")?;
            let at = slice.windows(4).rposition(|window| window == b"-pod")?;
            slice.get(at + 4..)?
        }
        None => parent.strip_prefix(b"pod")?,
    };
    let is_hex = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'_');
    let is_uid = (32..=36).contains(&uid.len()) && uid.iter().all(is_hex);
    is_uid.then(|| uid.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect())
}

/// The rest after digits and a dash.
fn after_number(text: &[u8]) -> Option<&[u8]> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then(|| text.get(digits..)?.strip_prefix(b"-")).flatten()
}

/// Undoes the escaping of unit names, see systemd.unit(5): `\x2d` stands for a dash.
fn unescape(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = match tail {
            [b'x', high, low, ..] if byte == b'\\' => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                digit(high)
                    .zip(digit(low))
                    .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
            }
            _ => None,
        };
        match escaped {
            Some(code) => {
                plain.push(code);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(byte);
                rest = tail;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "877092c88f54aa3d1f5e0c1b2a3948576655443322110ffeeddccbbaa9988770";
    const POD: &str = "3b02c88f54aa3d1f5e0c1b2a3948576655443322110ffeeddccbbaa998877012";

    /// What a path is shortened to: engine, kind, role, and then ID, name, pod and unit.
    fn told(path: &str) -> String {
        let path = path.replace("<ID>", ID).replace("<POD>", POD);
        let Some(mark) = mark(path.as_bytes()) else { return "-".into() };
        let mut told = format!("{} {}", mark.engine, mark.kind);
        if mark.role == Role::Supervisor {
            told.push_str(" supervisor");
        }
        let short = |text: &Text| text.to_string_lossy().replace(ID, "<ID>").replace(POD, "<POD>");
        let fields = [("id", mark.id), ("name", mark.name), ("pod", mark.pod), ("unit", mark.unit)];
        for (field, value) in fields {
            if let Some(value) = value {
                told.push_str(&format!(" {field}={}", short(&value)));
            }
        }
        told
    }

    #[test]
    fn engines_are_recognised() {
        let uid = "1f0c2d3e-4a5b-6c7d-8e9f-0a1b2c3d4e5f";
        let slice = "1f0c2d3e_4a5b_6c7d_8e9f_0a1b2c3d4e5f";
        let table = [
            ("/docker/<ID>", "docker container id=<ID>"),
            ("/payload/docker/<ID>/init.scope", "docker container id=<ID>"),
            ("/system.slice/docker-<ID>.scope", "docker container id=<ID>"),
            ("/system.slice/ci.service/docker/<ID>", "docker container id=<ID> unit=ci.service"),
            ("/libpod_parent/libpod-<ID>", "podman container id=<ID>"),
            ("/libpod_parent/<POD>/libpod-<ID>", "podman container id=<ID> pod=<POD>"),
            ("/machine.slice/libpod-<ID>.scope", "podman container id=<ID>"),
            (
                "/machine.slice/machine-libpod_pod_<POD>.slice/libpod-<ID>.scope",
                "podman container id=<ID> pod=<POD>",
            ),
            ("/machine.slice/libpod-conmon-<ID>.scope", "podman container supervisor id=<ID>"),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-<ID>.scope",
                "podman container id=<ID>",
            ),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/podman-pause-1f2e3d4c.scope",
                "podman infra id=1f2e3d4c",
            ),
            (
                "/system.slice/web.service/libpod-payload-<ID>",
                "podman container id=<ID> unit=web.service",
            ),
            ("/system.slice/web.service/runtime", "systemd unit name=web.service"),
            ("/system.slice/nerdctl-<ID>.scope", "nerdctl container id=<ID>"),
            (
                &format!("/kubepods/burstable/pod{uid}/<ID>"),
                &format!("cri container id=<ID> pod={uid}"),
            ),
            (
                &format!(
                    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice/cri-containerd-<ID>.scope"
                ),
                &format!("cri container id=<ID> pod={uid}"),
            ),
            (
                &format!("/kubepods.slice/kubepods-pod{slice}.slice/crio-<ID>.scope"),
                &format!("cri-o container id=<ID> pod={uid}"),
            ),
            (
                &format!("/kubepods.slice/kubepods-pod{slice}.slice/crio-conmon-<ID>.scope"),
                &format!("cri-o container supervisor id=<ID> pod={uid}"),
            ),
            ("/buildah-buildah123", "buildah build name=buildah123"),
            ("/lxc.payload.web", "lxc container name=web"),
            ("/lxc.monitor.web", "lxc container supervisor name=web"),
            ("/machine.slice/machine-my\\x2dbox.scope/payload", "nspawn machine name=my-box"),
            ("/machine.slice/systemd-nspawn@dev.service/payload", "nspawn machine name=dev"),
            ("/machine.slice/machine-qemu\\x2d3\\x2dwin\\x2d11.scope", "libvirt vm name=win-11"),
            ("/machine.slice/machine-lxc\\x2d77\\x2dx.scope", "libvirt container name=x"),
            ("/machine/qemu-3-win.libvirt-qemu/emulator", "libvirt vm name=win"),
            (
                "/user.slice/user-1000.slice/user@1000.service/app.slice/app-flatpak-org.gimp.GIMP-4711.scope",
                "flatpak sandbox name=org.gimp.GIMP",
            ),
            ("/system.slice/snap.lxd.daemon.service", "snap sandbox name=lxd"),
            (
                "/system.slice/system-getty.slice/getty@tty1.service",
                "systemd unit name=getty@tty1.service",
            ),
            (
                "/system.slice/foo.service/payload/system.slice/docker.service",
                "systemd unit name=foo.service",
            ),
            ("/docker-877092c88f54.scope", "systemd unit name=docker-877092c88f54.scope"),
            ("/user.slice/user-1000.slice/session-2.scope", "systemd unit name=session-2.scope"),
        ];
        for (path, expected) in table {
            assert_eq!(told(path), expected, "{path}");
        }
    }

    #[test]
    fn other_paths_name_nothing() {
        for path in [
            "",
            "/",
            "docker/<ID>",
            "/payload",
            "/<ID>",
            "/docker/877092c88f54",
            "/docker-<ID>",
            "/../docker/<ID>",
            "/kubepods/podnonsense/<ID>",
            "/lxc.payload.",
            "/user.slice/user-1000.slice/user@1000.service",
            "/init.scope",
            "/.service",
        ] {
            assert_eq!(told(path), "-", "{path}");
        }
    }

    #[test]
    fn the_outermost_engine_counts() {
        assert_eq!(told("/lxc.payload.web/docker/<ID>"), "lxc container name=web");
        assert_eq!(told("/docker/<ID>/docker/<POD>"), "docker container id=<ID>");
        assert_eq!(told("/docker/<ID>/system.slice/a.service"), "docker container id=<ID>");
    }

    proptest! {
        #[test]
        fn any_path_is_survived(path: Vec<u8>) {
            if let Some(mark) = mark(&path) {
                prop_assert!(mark.end <= path.len());
            }
        }
    }
}
