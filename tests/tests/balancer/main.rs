//! Sites behind Cloudflare Load Balancing instead of the router: the same program, the sandbox's load balancer, and a front that
//! sends visitors on by its weights.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod dead;
mod life;
mod others;
mod refused;
