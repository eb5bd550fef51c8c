//! Messages of tables and chains, built by libnftnl.
//!
//! libnftnl ends the process (`exit(1)`) when a setter meets an attribute its version does not know or a length it does
//! not expect. So only attributes of libnftnl 1.1.9 and older are set here (the bindings are pinned to 1.2.4), texts
//! and numbers go through the setters for them, and nothing here takes an attribute's number from outside.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::NonNull;

use nftnl_sys as sys;
use rulectl_ruleset::ir::{BaseChain, ChainName, Comment, Policy, TableFlags, TableId};
use rulectl_ruleset::userdata;

use crate::uapi::NLM_F_REQUEST;

/// Space for one message, aligned for `struct nlmsghdr`.
pub(crate) struct Scratch(Vec<u32>);

/// Why libnftnl did not build a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

impl Scratch {
    /// Of the size libnftnl is promised.
    pub(crate) fn new() -> Self {
        Self(vec![0; nftnl::nft_nlmsg_maxsize().div_ceil(4) as usize])
    }

    /// Has `payload` append attributes to a message that has only headers, and returns the message.
    fn build(&mut self, kind: u16, flags: u16, table: &TableId, payload: impl FnOnce(*mut libc::nlmsghdr)) -> &[u8] {
        let start = self.0.as_mut_ptr().cast::<c_char>();
        let family = u16::from(table.family.nfproto());
        // SAFETY: `start` leads to nft_nlmsg_maxsize() writable bytes, aligned to 4, and the headers take 20 of them.
        // The header that is returned is `start`.
        let header = unsafe { sys::nftnl_nlmsg_build_hdr(start, kind, family, flags | NLM_F_REQUEST, 0) };
        payload(header);
        // SAFETY: `header` leads into `self.0`, whose first 20 bytes have been written.
        let len = unsafe { (*header).nlmsg_len } as usize;
        // SAFETY: the buffer was zeroed when it was made, so all of it is initialised; the length is cut to it.
        unsafe { std::slice::from_raw_parts(start.cast::<u8>(), len.min(self.0.len() * 4)) }
    }

    /// A message about a table.
    pub(crate) fn table(
        &mut self,
        kind: u16,
        flags: u16,
        table: &TableId,
        bits: Option<TableFlags>,
        comment: Option<&Comment>,
    ) -> Result<&[u8], Failed> {
        let object = Table::new()?;
        object.text(sys::NFTNL_TABLE_NAME, table.name.as_str())?;
        if let Some(bits) = bits {
            object.number(sys::NFTNL_TABLE_FLAGS, bits.bits());
        }
        if let Some(comment) = comment {
            object.bytes(sys::NFTNL_TABLE_USERDATA, &userdata::table(comment))?;
        }
        Ok(self.build(kind, flags, table, |header| object.write(header)))
    }

    /// A message about a chain. `kind` and `flags` are those of nf_tables.
    pub(crate) fn chain(
        &mut self,
        kind: u16,
        flags: u16,
        table: &TableId,
        chain: &ChainName,
        declared: Declared<'_>,
    ) -> Result<&[u8], Failed> {
        let object = Chain::new()?;
        object.text(sys::NFTNL_CHAIN_TABLE, table.name.as_str())?;
        object.text(sys::NFTNL_CHAIN_NAME, chain.as_str())?;
        if let Some(base) = declared.base {
            object.base(base)?;
        }
        if let Some(policy) = declared.policy {
            object.number(sys::NFTNL_CHAIN_POLICY, verdict(policy));
        }
        if let Some(comment) = declared.comment {
            object.bytes(sys::NFTNL_CHAIN_USERDATA, &userdata::chain(comment))?;
        }
        Ok(self.build(kind, flags, table, |header| object.write(header)))
    }
}

/// What a message says about a chain besides its name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Declared<'a> {
    /// Where it hooks in.
    pub(crate) base: Option<&'a BaseChain>,
    /// Its policy.
    pub(crate) policy: Option<Policy>,
    /// Its comment.
    pub(crate) comment: Option<&'a Comment>,
}

fn verdict(policy: Policy) -> u32 {
    match policy {
        Policy::Drop => libc::NF_DROP as u32,
        Policy::Accept => libc::NF_ACCEPT as u32,
    }
}

impl Chain {
    fn base(&self, base: &BaseChain) -> Result<(), Failed> {
        // A BaseChain exists only with a hook its family has.
        self.number(sys::NFTNL_CHAIN_HOOKNUM, base.hook().number(base.family()).ok_or(Failed)?);
        // SAFETY: the object lives; the attribute takes a signed number of four bytes.
        unsafe { sys::nftnl_chain_set_s32(self.0.as_ptr(), sys::NFTNL_CHAIN_PRIO as u16, base.priority().0) };
        self.text(sys::NFTNL_CHAIN_TYPE, base.chain_type().keyword())?;
        match base.devices() {
            [] => Ok(()),
            [device] => self.text(sys::NFTNL_CHAIN_DEV, device.as_str()),
            devices => {
                let devices = devices.iter().map(|device| text(device.as_str())).collect::<Result<Vec<_>, _>>()?;
                self.devices(&devices)
            }
        }
    }

    fn devices(&self, devices: &[CString]) -> Result<(), Failed> {
        let mut array: Vec<*const c_char> = devices.iter().map(|device| device.as_ptr()).collect();
        array.push(std::ptr::null());
        // SAFETY: the attribute takes an array of texts that a null pointer ends; libnftnl copies them.
        done(unsafe {
            sys::nftnl_chain_set_array(self.0.as_ptr(), sys::NFTNL_CHAIN_DEVICES as u16, array.as_mut_ptr())
        })
    }
}

fn text(text: &str) -> Result<CString, Failed> {
    // Names and comments never hold a zero; a text that does is no fault of memory safety.
    CString::new(text).map_err(|_| Failed)
}

fn done(code: std::ffi::c_int) -> Result<(), Failed> {
    if code == 0 { Ok(()) } else { Err(Failed) }
}

macro_rules! owned {
    ($(#[$doc:meta])* $name:ident($raw:ident) $alloc:ident $free:ident $write:ident $text:ident $number:ident $bytes:ident) => {
        $(#[$doc])*
        struct $name(NonNull<sys::$raw>);

        impl $name {
            fn new() -> Result<Self, Failed> {
                // SAFETY: takes nothing; null (no memory) is checked.
                NonNull::new(unsafe { sys::$alloc() }).map(Self).ok_or(Failed)
            }

            fn text(&self, attribute: u32, value: &str) -> Result<(), Failed> {
                let value: &CStr = &text(value)?;
                // SAFETY: the object lives, the attribute is a text, and libnftnl copies `value`.
                done(unsafe { sys::$text(self.0.as_ptr(), attribute as u16, value.as_ptr()) })
            }

            fn number(&self, attribute: u32, value: u32) {
                // SAFETY: the object lives and the attribute is a number of four bytes.
                unsafe { sys::$number(self.0.as_ptr(), attribute as u16, value) };
            }

            fn bytes(&self, attribute: u32, value: &[u8]) -> Result<(), Failed> {
                let start = value.as_ptr().cast::<c_void>();
                // SAFETY: the object lives, the attribute takes any bytes, and libnftnl copies `value`.
                done(unsafe { sys::$bytes(self.0.as_ptr(), attribute as u16, start, value.len() as u32) })
            }

            fn write(&self, header: *mut libc::nlmsghdr) {
                // SAFETY: `header` begins a message in a buffer of nft_nlmsg_maxsize() bytes; names of 255 bytes, 256
                // devices of 16 and 256 bytes of user data fit into it many times.
                unsafe { sys::$write(header, self.0.as_ptr()) };
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: allocated by its counterpart, and freed here only.
                unsafe { sys::$free(self.0.as_ptr()) };
            }
        }
    };
}

owned! {
    /// A table of libnftnl.
    Table(nftnl_table) nftnl_table_alloc nftnl_table_free nftnl_table_nlmsg_build_payload nftnl_table_set_str
        nftnl_table_set_u32 nftnl_table_set_data
}

owned! {
    /// A chain of libnftnl.
    Chain(nftnl_chain) nftnl_chain_alloc nftnl_chain_free nftnl_chain_nlmsg_build_payload nftnl_chain_set_str
        nftnl_chain_set_u32 nftnl_chain_set_data
}
