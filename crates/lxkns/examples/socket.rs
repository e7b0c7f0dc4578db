//! A socket of the network namespace of a process, also of a rootless container: socket 812

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use std::error::Error;
use std::net::UdpSocket;

use lxkns::enter::{self, AddressFamily, SocketType};
use lxkns::{NamespaceFd, NamespaceType};

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args_os().nth(1).ok_or("of which process?")?;
    let pid = argument.to_string_lossy().parse()?;
    let user = NamespaceFd::of_process(pid, NamespaceType::User)?;
    let net = NamespaceFd::of_process(pid, NamespaceType::Net)?;
    let own = NamespaceFd::of_self(NamespaceType::User)?;
    let way = if user.id() == own.id() { vec![&net] } else { vec![&user, &net] };
    let socket = enter::socket_in(&way, AddressFamily::INET, SocketType::DGRAM, None)?;
    let socket = UdpSocket::from(socket);
    println!("{:?} of {}", socket.local_addr()?, net.id());
    Ok(())
}
