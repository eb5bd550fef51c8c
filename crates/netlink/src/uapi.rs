//! Numbers of the kernel's interface that libc lacks: linux/netlink.h, linux/netfilter/nfnetlink.h, nf_tables.h and
//! nfnetlink_conntrack.h beside it (Linux 6.18; a number never changes its meaning).
#![expect(dead_code, reason = "the lists are kept whole, so that they can be compared with the kernel's")]

/// Flags of a message (`NLM_F_*`). Some share a bit: what it means depends on the type of the message.
pub(crate) const NLM_F_REQUEST: u16 = 0x1;
pub(crate) const NLM_F_DUMP_INTR: u16 = 0x10;
pub(crate) const NLM_F_REPLACE: u16 = 0x100;
pub(crate) const NLM_F_CAPPED: u16 = 0x100;
pub(crate) const NLM_F_NONREC: u16 = 0x100;
pub(crate) const NLM_F_EXCL: u16 = 0x200;
pub(crate) const NLM_F_ACK_TLVS: u16 = 0x200;
pub(crate) const NLM_F_DUMP: u16 = 0x300;
pub(crate) const NLM_F_CREATE: u16 = 0x400;
pub(crate) const NLM_F_APPEND: u16 = 0x800;

/// Types of messages of netlink itself.
pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;

/// Types of messages about addresses, and their attributes (linux/rtnetlink.h, linux/if_addr.h).
pub(crate) const RTM_NEWADDR: u16 = 20;
pub(crate) const RTM_GETADDR: u16 = 22;
pub(crate) const IFA_ADDRESS: u16 = 1;
pub(crate) const IFA_LOCAL: u16 = 2;

/// Attributes of an error (`enum nlmsgerr_attrs`).
pub(crate) const NLMSGERR_ATTR_MSG: u16 = 1;
pub(crate) const NLMSGERR_ATTR_OFFS: u16 = 2;

/// The subsystem in the upper byte of a type.
pub(crate) const NFNL_SUBSYS_CTNETLINK: u16 = 1;
pub(crate) const NFNL_SUBSYS_NFTABLES: u16 = 10;
/// Types of messages that begin and end a batch, and the attribute of the first.
pub(crate) const NFNL_MSG_BATCH_BEGIN: u16 = 16;
pub(crate) const NFNL_MSG_BATCH_END: u16 = 17;
pub(crate) const NFNL_BATCH_GENID: u16 = 1;

/// Flags of a set (`enum nft_set_flags`).
pub(crate) const NFT_SET_ANONYMOUS: u32 = 0x1;
pub(crate) const NFT_SET_CONSTANT: u32 = 0x2;
pub(crate) const NFT_SET_INTERVAL: u32 = 0x4;
pub(crate) const NFT_SET_MAP: u32 = 0x8;
pub(crate) const NFT_SET_TIMEOUT: u32 = 0x10;
pub(crate) const NFT_SET_EVAL: u32 = 0x20;
pub(crate) const NFT_SET_OBJECT: u32 = 0x40;
pub(crate) const NFT_SET_CONCAT: u32 = 0x80;
pub(crate) const NFT_SET_EXPR: u32 = 0x100;

/// The data type of verdict maps.
pub(crate) const NFT_DATA_VERDICT: u32 = 0xffff_ff00;

/// Flags of an element (`enum nft_set_elem_flags`).
pub(crate) const NFT_SET_ELEM_INTERVAL_END: u32 = 0x1;
pub(crate) const NFT_SET_ELEM_CATCHALL: u32 = 0x2;

/// Verdict codes (`enum nft_verdicts`, linux/netfilter.h), as numbers in the kernel are: two's complement.
pub(crate) const NF_DROP: i32 = 0;
pub(crate) const NF_ACCEPT: i32 = 1;
pub(crate) const NFT_CONTINUE: i32 = -1;
pub(crate) const NFT_JUMP: i32 = -3;
pub(crate) const NFT_GOTO: i32 = -4;
pub(crate) const NFT_RETURN: i32 = -5;

/// Makes constants that count up from a number, as a C `enum` does.
macro_rules! numbered {
    ($($(#[$doc:meta])* $module:ident from $first:literal { $($name:ident)* })*) => {
        $($(#[$doc])* pub(crate) mod $module { numbered!(@ $first; $($name)*); })*
    };
    (@ $number:expr; $name:ident $($rest:ident)*) => {
        pub(crate) const $name: u16 = $number;
        numbered!(@ $number + 1; $($rest)*);
    };
    (@ $number:expr;) => {};
}

numbered! {
    /// Types of messages (`enum nf_tables_msg_types`).
    msg from 0 {
        NEWTABLE GETTABLE DELTABLE NEWCHAIN GETCHAIN DELCHAIN NEWRULE GETRULE DELRULE NEWSET GETSET DELSET NEWSETELEM
        GETSETELEM DELSETELEM NEWGEN GETGEN TRACE NEWOBJ GETOBJ DELOBJ GETOBJ_RESET NEWFLOWTABLE GETFLOWTABLE
        DELFLOWTABLE GETRULE_RESET DESTROYTABLE DESTROYCHAIN DESTROYRULE DESTROYSET DESTROYSETELEM DESTROYOBJ
        DESTROYFLOWTABLE GETSETELEM_RESET
    }
    /// `enum nft_list_attributes`.
    list from 1 { ELEM }
    /// `enum nft_hook_attributes`.
    hook from 1 { HOOKNUM PRIORITY DEV DEVS }
    /// `enum nft_devices_attributes`.
    device from 1 { NAME }
    /// `enum nft_table_attributes`.
    table from 1 { NAME FLAGS USE HANDLE PAD USERDATA OWNER }
    /// `enum nft_chain_attributes`.
    chain from 1 { TABLE HANDLE NAME HOOK POLICY USE TYPE COUNTERS PAD FLAGS ID USERDATA }
    /// `enum nft_rule_attributes`.
    rule from 1 { TABLE CHAIN HANDLE EXPRESSIONS COMPAT POSITION USERDATA PAD ID POSITION_ID CHAIN_ID }
    /// `enum nft_set_attributes`.
    set from 1 {
        TABLE NAME FLAGS KEY_TYPE KEY_LEN DATA_TYPE DATA_LEN POLICY DESC ID TIMEOUT GC_INTERVAL USERDATA PAD OBJ_TYPE
        HANDLE EXPR EXPRESSIONS TYPE COUNT
    }
    /// `enum nft_set_desc_attributes`.
    desc from 1 { SIZE CONCAT }
    /// `enum nft_set_field_attributes`.
    field from 1 { LEN }
    /// `enum nft_set_elem_list_attributes`.
    elem_list from 1 { TABLE SET ELEMENTS SET_ID }
    /// `enum nft_set_elem_attributes`.
    elem from 1 { KEY DATA FLAGS TIMEOUT EXPIRATION USERDATA EXPR PAD OBJREF KEY_END EXPRESSIONS }
    /// `enum nft_data_attributes`.
    data from 1 { VALUE VERDICT }
    /// `enum nft_verdict_attributes`.
    verdict from 1 { CODE CHAIN CHAIN_ID }
    /// `enum nft_object_attributes`.
    obj from 1 { TABLE NAME TYPE DATA USE HANDLE PAD USERDATA }
    /// `enum nft_flowtable_attributes`.
    flowtable from 1 { TABLE NAME HOOK USE HANDLE PAD FLAGS }
    /// `enum nft_flowtable_hook_attributes`.
    flowtable_hook from 1 { NUM PRIORITY DEVS }
    /// `enum nft_gen_attributes`.
    genid from 1 { ID PROC_PID PROC_NAME }
    /// `enum nft_expr_attributes`.
    expr from 1 { NAME DATA }
    /// `enum nft_immediate_attributes`.
    immediate from 1 { DREG DATA }
    /// `enum nft_bitwise_attributes`.
    bitwise from 1 { SREG DREG LEN MASK XOR OP DATA SREG2 }
    /// `enum nft_byteorder_attributes`.
    byteorder from 1 { SREG DREG OP LEN SIZE }
    /// `enum nft_cmp_attributes`.
    cmp from 1 { SREG OP DATA }
    /// `enum nft_range_attributes`.
    range from 1 { SREG OP FROM_DATA TO_DATA }
    /// `enum nft_lookup_attributes`.
    lookup from 1 { SET SREG DREG SET_ID FLAGS }
    /// `enum nft_dynset_attributes`.
    dynset from 1 { SET_NAME SET_ID OP SREG_KEY SREG_DATA TIMEOUT EXPR PAD FLAGS EXPRESSIONS }
    /// `enum nft_payload_attributes`.
    payload from 1 { DREG BASE OFFSET LEN SREG CSUM_TYPE CSUM_OFFSET CSUM_FLAGS }
    /// `enum nft_exthdr_attributes`.
    exthdr from 1 { DREG TYPE OFFSET LEN FLAGS OP SREG }
    /// `enum nft_hash_attributes`.
    hash from 1 { SREG DREG LEN MODULUS SEED OFFSET TYPE SET_NAME SET_ID }
    /// `enum nft_meta_attributes`.
    meta from 1 { DREG KEY SREG }
    /// `enum nft_rt_attributes`.
    rt from 1 { DREG KEY }
    /// `enum nft_socket_attributes`.
    socket from 1 { KEY DREG LEVEL }
    /// `enum nft_ct_attributes`.
    ct from 1 { DREG KEY DIRECTION SREG }
    /// `enum nft_offload_attributes`.
    flow from 1 { TABLE_NAME }
    /// `enum nft_limit_attributes`.
    limit from 1 { RATE UNIT BURST TYPE FLAGS PAD }
    /// `enum nft_connlimit_attributes`.
    connlimit from 1 { COUNT FLAGS }
    /// `enum nft_counter_attributes`.
    counter from 1 { BYTES PACKETS PAD }
    /// `enum nft_last_attributes`.
    last from 1 { SET MSECS PAD }
    /// `enum nft_log_attributes`.
    log from 1 { GROUP PREFIX SNAPLEN QTHRESHOLD LEVEL FLAGS }
    /// `enum nft_queue_attributes`.
    queue from 1 { NUM TOTAL FLAGS SREG_QNUM }
    /// `enum nft_quota_attributes`.
    quota from 1 { BYTES FLAGS PAD CONSUMED }
    /// `enum nft_reject_attributes`.
    reject from 1 { TYPE ICMP_CODE }
    /// `enum nft_nat_attributes`.
    nat from 1 { TYPE FAMILY REG_ADDR_MIN REG_ADDR_MAX REG_PROTO_MIN REG_PROTO_MAX FLAGS }
    /// `enum nft_tproxy_attributes`.
    tproxy from 1 { FAMILY REG_ADDR REG_PORT }
    /// `enum nft_masq_attributes`.
    masq from 1 { FLAGS REG_PROTO_MIN REG_PROTO_MAX }
    /// `enum nft_redir_attributes`.
    redir from 1 { REG_PROTO_MIN REG_PROTO_MAX FLAGS }
    /// `enum nft_dup_attributes`.
    dup from 1 { SREG_ADDR SREG_DEV }
    /// `enum nft_fwd_attributes`.
    fwd from 1 { SREG_DEV SREG_ADDR NFPROTO }
    /// `enum nft_objref_attributes`.
    objref from 1 { IMM_TYPE IMM_NAME SET_SREG SET_NAME SET_ID }
    /// `enum nft_fib_attributes`.
    fib from 1 { DREG RESULT FLAGS }
    /// `enum nft_ct_helper_attributes`.
    ct_helper from 1 { NAME L3PROTO L4PROTO }
    /// `enum nft_ct_timeout_timeout_attributes`.
    ct_timeout from 1 { L3PROTO L4PROTO DATA }
    /// `enum nft_ct_expectation_attributes`.
    ct_expect from 1 { L3PROTO L4PROTO DPORT TIMEOUT SIZE }
    /// `enum nft_synproxy_attributes`.
    synproxy from 1 { MSS WSCALE FLAGS }
    /// `enum nft_secmark_attributes`.
    secmark from 1 { CTX }
    /// `enum nft_osf_attributes`.
    osf from 1 { DREG TTL FLAGS }
    /// `enum nft_xfrm_attributes`.
    xfrm from 1 { DREG KEY DIR SPNUM }
    /// `enum nft_tunnel_attributes`.
    tunnel from 1 { KEY DREG MODE }
    /// `enum nft_inner_attributes`.
    inner from 1 { NUM TYPE FLAGS HDRSIZE EXPR }
    /// `enum nft_ng_attributes`.
    ng from 1 { DREG MODULUS TYPE OFFSET }
    /// `enum cntl_msg_types` (linux/netfilter/nfnetlink_conntrack.h, as all that follow).
    ctnl_msg from 0 { NEW GET DELETE GET_CTRZERO GET_STATS_CPU GET_STATS GET_DYING GET_UNCONFIRMED }
    /// `enum ctattr_type`.
    cta from 1 {
        TUPLE_ORIG TUPLE_REPLY STATUS PROTOINFO HELP NAT_SRC TIMEOUT MARK COUNTERS_ORIG COUNTERS_REPLY USE ID NAT_DST
        TUPLE_MASTER SEQ_ADJ_ORIG SEQ_ADJ_REPLY SECMARK ZONE SECCTX TIMESTAMP MARK_MASK LABELS LABELS_MASK SYNPROXY
        FILTER STATUS_MASK
    }
    /// `enum ctattr_tuple`.
    cta_tuple from 1 { IP PROTO ZONE }
    /// `enum ctattr_ip`.
    cta_ip from 1 { V4_SRC V4_DST V6_SRC V6_DST }
    /// `enum ctattr_l4proto`.
    cta_proto from 1 {
        NUM SRC_PORT DST_PORT ICMP_ID ICMP_TYPE ICMP_CODE ICMPV6_ID ICMPV6_TYPE ICMPV6_CODE
    }
    /// `enum ctattr_protoinfo`.
    cta_protoinfo from 1 { TCP DCCP SCTP }
    /// The first of `enum ctattr_protoinfo_tcp` and `enum ctattr_protoinfo_sctp`.
    cta_protoinfo_state from 1 { STATE }
    /// `enum ctattr_filter`.
    cta_filter from 1 { ORIG_FLAGS REPLY_FLAGS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_end_where_the_kernels_do() {
        assert_eq!(msg::NEWFLOWTABLE, 22);
        assert_eq!(msg::DESTROYTABLE, 26);
        assert_eq!(set::HANDLE, 16);
        assert_eq!(elem::EXPRESSIONS, 11);
        assert_eq!(chain::USERDATA, 12);
        assert_eq!(rule::CHAIN_ID, 11);
        assert_eq!(dynset::EXPRESSIONS, 10);
        assert_eq!(nat::FLAGS, 7);
        assert_eq!(cta::STATUS_MASK, 26);
        assert_eq!(cta_proto::ICMPV6_CODE, 9);
    }
}
