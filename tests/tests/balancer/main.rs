//! Sites behind Cloudflare Load Balancing instead of the router: the same program, the sandbox's load balancer, and a front that
//! sends visitors on by its weights.

mod dead;
mod life;
mod others;
mod refused;
