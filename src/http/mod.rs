//! The HTTP face: the same operations as on the command line, for programs and for a page.
//!
//! Nothing is decided here: a request becomes an operation's, its answer becomes JSON. One thread runs the
//! event loop; operations block, so they run in `lanes`. Who is let in, `guard` says.

mod allocations;
mod body;
mod call;
mod client;
mod configuration;
mod dispatch;
mod events;
mod guard;
mod instances;
mod lanes;
mod ledger;
mod listener;
mod metrics;
mod openapi;
mod packed;
mod problem;
mod routes;
mod server;
mod service_types;
mod services;
mod state_lock;
mod status;
mod ui;
mod waiting;

pub(crate) use guard::judge_text;

use crate::operations::{
    Error, Host,
    serve::{Post, Said, Stand, Wanted, block_signals, own_pid, rest, wait_for_end},
};
use server::Server;
use std::{io, sync::Arc, time::Duration};
use tokio::{net, runtime};
use waiting::waited_for;

/// Threads that have nothing to do end after this: idle is small.
const THREAD_IDLE: Duration = Duration::from_secs(5);

/// An operation needs a tenth of this.
const STACK: usize = 1 << 20;

/// Serves until a signal asks to end, or attaches to the process that serves already.
pub fn serve(host: Host, wanted: Wanted, say: &mut dyn FnMut(Said)) -> Result<i32, Error> {
    let notice = std::cell::RefCell::new(say);
    let notify = |sentence: &str| (notice.borrow_mut())(Said::Notice(sentence.to_owned()));
    match host.take_post(wanted, &notify)? {
        Stand::Taken(answer) => {
            let url = client::ask_for_invitation(&host, answer.pid)?;
            let pid = answer.pid.unwrap_or_default();
            let said = Said::Serving { url, port: answer.port, pid, existing: true };
            (notice.borrow_mut())(said);
            if wanted.open { Ok(0) } else { wait_for_end(answer.pid) }
        }
        Stand::Mine(post) => {
            // What was opened is moved into the server; what is given back at the end is the same.
            let leaving = Host::with_config(host.config.clone())?;
            let result = run(host, &post, &mut |said| (notice.borrow_mut())(said));
            leaving.leave_post(*post, &notify);
            result
        }
    }
}

fn run(host: Host, post: &Post, say: &mut dyn FnMut(Said)) -> Result<i32, Error> {
    let failed = |source| Error::System { deed: "serve", source };
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(lanes::THREADS_MAX)
        .thread_keep_alive(THREAD_IDLE)
        .thread_stack_size(STACK)
        .on_thread_start(block_signals)
        .on_thread_stop(rest)
        .build()
        .map_err(failed)?;
    let code = runtime.block_on(async {
        let listener = net::TcpListener::from_std(post.listener.try_clone().map_err(failed)?)
            .map_err(failed)?;
        let socket = net::UnixListener::from_std(post.socket.try_clone().map_err(failed)?)
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let server = Arc::new(Server::new(host, address.port(), post.token.clone()));
        let url =
            server.invitation().map_err(|problem| failed(io::Error::other(problem.message)))?;
        let port = u32::from(address.port()).try_into().expect("a bound port is one");
        say(Said::Serving { url, port, pid: own_pid(), existing: false });
        tokio::spawn(state_lock::watch(Arc::clone(&server)));
        tokio::select! {
            () = listener::on_loopback(listener, Arc::clone(&server)) => {}
            () = listener::on_socket(socket, Arc::clone(&server)) => {}
            () = asked_to_end(post) => {}
        }
        Ok(post.exit_code())
    });
    // What still runs is not waited for: a stop that was begun goes on in its supervisor.
    runtime.shutdown_background();
    code
}

/// Ctrl-C or TERM.
async fn asked_to_end(post: &Post) {
    let interrupts = waited_for(post.interrupt_fd());
    if let Ok(interrupts) = interrupts {
        // An error is as good a reason to end.
        let _ = interrupts.readable().await;
    }
}
