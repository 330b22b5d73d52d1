//! octroi-datapath: the only crate that knows the kernel.
