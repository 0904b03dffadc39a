"""Enum names that some kernels leave unresolved in a `print fmt`, with the values that such kernels give them.

The softirq names are those that trace-cmd's library knows too. Values: the kernels' own type information (5.10 to 7.3);
where a name had several, the other names beside it in the print fmt tell which. The inode state bits had other values
while they were macros, but then the kernel resolved them itself.
"""

from __future__ import annotations

from collections.abc import Mapping

SOFTIRQS = {
    "HI_SOFTIRQ": 0, "TIMER_SOFTIRQ": 1, "NET_TX_SOFTIRQ": 2, "NET_RX_SOFTIRQ": 3, "BLOCK_SOFTIRQ": 4, "IRQ_POLL_SOFTIRQ": 5,
    "TASKLET_SOFTIRQ": 6, "SCHED_SOFTIRQ": 7, "HRTIMER_SOFTIRQ": 8, "RCU_SOFTIRQ": 9,
    "HRTIMER_NORESTART": 0, "HRTIMER_RESTART": 1,
}  # fmt: skip

KNOWN_VALUES = SOFTIRQS | {
    "HRTIMER_MODE_ABS": 0, "HRTIMER_MODE_REL": 1, "HRTIMER_MODE_PINNED": 2, "HRTIMER_MODE_SOFT": 4, "HRTIMER_MODE_HARD": 8,
    "HRTIMER_MODE_ABS_PINNED": 2, "HRTIMER_MODE_REL_PINNED": 3, "HRTIMER_MODE_ABS_SOFT": 4, "HRTIMER_MODE_REL_SOFT": 5,
    "HRTIMER_MODE_ABS_PINNED_SOFT": 6, "HRTIMER_MODE_REL_PINNED_SOFT": 7, "HRTIMER_MODE_ABS_HARD": 8,
    "HRTIMER_MODE_REL_HARD": 9, "HRTIMER_MODE_ABS_PINNED_HARD": 10, "HRTIMER_MODE_REL_PINNED_HARD": 11,
    "IOPRIO_CLASS_NONE": 0, "IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3, "IOPRIO_CLASS_INVALID": 7,
    "TCP_ESTABLISHED": 1, "TCP_SYN_SENT": 2, "TCP_SYN_RECV": 3, "TCP_FIN_WAIT1": 4, "TCP_FIN_WAIT2": 5, "TCP_TIME_WAIT": 6,
    "TCP_CLOSE": 7, "TCP_CLOSE_WAIT": 8, "TCP_LAST_ACK": 9, "TCP_LISTEN": 10, "TCP_CLOSING": 11, "TCP_NEW_SYN_RECV": 12,
    "VM_FAULT_OOM": 1, "VM_FAULT_SIGBUS": 2, "VM_FAULT_MAJOR": 4, "VM_FAULT_HWPOISON": 0x10, "VM_FAULT_HWPOISON_LARGE": 0x20,
    "VM_FAULT_SIGSEGV": 0x40, "VM_FAULT_NOPAGE": 0x100, "VM_FAULT_LOCKED": 0x200, "VM_FAULT_RETRY": 0x400,
    "VM_FAULT_FALLBACK": 0x800, "VM_FAULT_DONE_COW": 0x1000, "VM_FAULT_NEEDDSYNC": 0x2000, "VM_FAULT_COMPLETED": 0x4000,
    "DUMP_PREFIX_NONE": 0, "DUMP_PREFIX_ADDRESS": 1, "DUMP_PREFIX_OFFSET": 2, "true": 1, "false": 0,
    "CPU_IDLE": 0, "CPU_NOT_IDLE": 1, "CPU_NEWLY_IDLE": 2, "SND_SOC_DAPM_DIR_IN": 0, "SND_SOC_DAPM_DIR_OUT": 1,
    "nvme_cmd_flush": 0, "nvme_cmd_write": 1, "nvme_cmd_read": 2, "nvme_cmd_write_uncor": 4, "nvme_cmd_compare": 5,
    "nvme_cmd_write_zeroes": 8, "nvme_cmd_dsm": 9, "nvme_cmd_verify": 0xC, "nvme_cmd_resv_register": 0xD,
    "nvme_cmd_resv_report": 0xE, "nvme_cmd_resv_acquire": 0x11, "nvme_cmd_resv_release": 0x15, "nvme_cmd_zone_mgmt_send": 0x79,
    "nvme_cmd_zone_mgmt_recv": 0x7A, "nvme_cmd_zone_append": 0x7D, "nvme_cmd_vendor_start": 0x80,
    "nvme_admin_delete_sq": 0, "nvme_admin_create_sq": 1, "nvme_admin_get_log_page": 2, "nvme_admin_delete_cq": 4,
    "nvme_admin_create_cq": 5, "nvme_admin_identify": 6, "nvme_admin_abort_cmd": 8, "nvme_admin_set_features": 9,
    "nvme_admin_get_features": 0xA, "nvme_admin_async_event": 0xC, "nvme_admin_ns_mgmt": 0xD, "nvme_admin_activate_fw": 0x10,
    "nvme_admin_download_fw": 0x11, "nvme_admin_dev_self_test": 0x14, "nvme_admin_ns_attach": 0x15,
    "nvme_admin_keep_alive": 0x18, "nvme_admin_directive_send": 0x19, "nvme_admin_directive_recv": 0x1A,
    "nvme_admin_virtual_mgmt": 0x1C, "nvme_admin_nvme_mi_send": 0x1D, "nvme_admin_nvme_mi_recv": 0x1E,
    "nvme_admin_dbbuf": 0x7C, "nvme_admin_format_nvm": 0x80, "nvme_admin_security_send": 0x81,
    "nvme_admin_security_recv": 0x82, "nvme_admin_sanitize_nvm": 0x84, "nvme_admin_get_lba_status": 0x86,
    "nvme_admin_vendor_start": 0xC0, "nvme_fabrics_command": 0x7F, "nvme_fabrics_type_property_set": 0,
    "nvme_fabrics_type_connect": 1, "nvme_fabrics_type_property_get": 4, "nvme_fabrics_type_auth_send": 5,
    "nvme_fabrics_type_auth_receive": 6,
    "I_NEW": 1, "I_SYNC": 2, "I_LRU_ISOLATING": 4, "I_DIRTY_SYNC": 0x10, "I_DIRTY_DATASYNC": 0x20, "I_DIRTY_PAGES": 0x40,
    "I_WILL_FREE": 0x80, "I_FREEING": 0x100, "I_CLEAR": 0x200, "I_REFERENCED": 0x400, "I_LINKABLE": 0x800,
    "I_DIRTY_TIME": 0x1000, "I_WB_SWITCH": 0x2000, "I_OVL_INUSE": 0x4000, "I_CREATING": 0x8000, "I_DONTCACHE": 0x10000,
    "I_SYNC_QUEUED": 0x20000, "I_PINNING_NETFS_WB": 0x40000,
    "BTRFS_ADD_DELAYED_REF": 1, "BTRFS_DROP_DELAYED_REF": 2, "BTRFS_ADD_DELAYED_EXTENT": 3, "BTRFS_UPDATE_DELAYED_HEAD": 4,
    "BTRFS_ORDERED_REGULAR": 0, "BTRFS_ORDERED_NOCOW": 1, "BTRFS_ORDERED_PREALLOC": 2, "BTRFS_ORDERED_COMPRESSED": 3,
    "BTRFS_ORDERED_DIRECT": 4, "BTRFS_ORDERED_IO_DONE": 5, "BTRFS_ORDERED_COMPLETE": 6, "BTRFS_ORDERED_IOERR": 7,
    "BTRFS_ORDERED_TRUNCATED": 8, "QGROUP_RESERVE": 1, "QGROUP_RELEASE": 2, "QGROUP_FREE": 4, "WQ_HIGHPRI": 0x10,
    "EXTENT_DIRTY": 1, "EXTENT_LOCKED": 2, "EXTENT_DIRTY_LOG1": 8, "EXTENT_DIRTY_LOG2": 0x10, "EXTENT_NEW": 0x10,
    "EXTENT_DELALLOC": 0x20, "EXTENT_DEFRAG": 0x40, "EXTENT_BOUNDARY": 0x80, "EXTENT_NODATASUM": 0x100,
    "EXTENT_CLEAR_META_RESV": 0x200, "EXTENT_NEED_WAIT": 0x400, "EXTENT_NORESERVE": 0x800, "EXTENT_QGROUP_RESERVED": 0x1000,
    "EXTENT_CLEAR_DATA_RESV": 0x2000, "EXTENT_DELALLOC_NEW": 0x4000, "EXTENT_UPTODATE": 2,
    "EXTENT_FLAG_PINNED": 1, "EXTENT_FLAG_COMPRESS_ZLIB": 2, "EXTENT_FLAG_COMPRESS_LZO": 4, "EXTENT_FLAG_COMPRESS_ZSTD": 8,
    "EXTENT_FLAG_PREALLOC": 0x10, "EXTENT_FLAG_LOGGING": 0x20,
    "FAULT_FLAG_WRITE": 1, "FAULT_FLAG_MKWRITE": 2, "FAULT_FLAG_ALLOW_RETRY": 4, "FAULT_FLAG_RETRY_NOWAIT": 8,
    "FAULT_FLAG_KILLABLE": 0x10, "FAULT_FLAG_TRIED": 0x20, "FAULT_FLAG_USER": 0x40, "FAULT_FLAG_REMOTE": 0x80,
    "FAULT_FLAG_INSTRUCTION": 0x100, "FAULT_FLAG_INTERRUPTIBLE": 0x200, "FAULT_FLAG_VMA_LOCK": 0x1000, "VMA_SHARED_BIT": 3,
    "VM_FAULT_WRITE": 8, "DEV_PM_QOS_RESUME_LATENCY": 1, "DEV_PM_QOS_FLAGS": 5,
    "PM_QOS_ADD_REQ": 0, "PM_QOS_UPDATE_REQ": 1, "PM_QOS_REMOVE_REQ": 2,
    "VMSCAN_THROTTLE_WRITEBACK": 0, "VMSCAN_THROTTLE_ISOLATED": 1,
    "VMSCAN_THROTTLE_NOPROGRESS": 2, "VMSCAN_THROTTLE_CONGESTED": 3,
    "VDSO_CLOCKMODE_NONE": 0, "VDSO_CLOCKMODE_TSC": 1, "XEN_LAZY_MMU": 1, "XEN_LAZY_CPU": 2,
    "XEN_MC_FL_NONE": 0, "XEN_MC_FL_BATCH": 1, "XEN_MC_FL_ARGS": 2, "XEN_MC_FL_CALLBACK": 3,
    "XEN_MC_XE_OK": 0, "XEN_MC_XE_BAD_OP": 1, "XEN_MC_XE_NO_SPACE": 2, "PARAVIRT_LAZY_MMU": 1, "PARAVIRT_LAZY_CPU": 2,
}  # fmt: skip

# A name that stands in the print fmt, one that does not, and the values that hold then.
_OTHERWISE = (
    ("EXTENT_UPTODATE", "EXTENT_DIRTY_LOG1", {"EXTENT_LOCKED": 4}),
    (
        "EXTENT_FLAG_COMPRESSED",
        "EXTENT_FLAG_COMPRESS_ZLIB",
        {
            "EXTENT_FLAG_PINNED": 0, "EXTENT_FLAG_COMPRESSED": 1, "EXTENT_FLAG_PREALLOC": 2, "EXTENT_FLAG_LOGGING": 3,
            "EXTENT_FLAG_FILLING": 4, "EXTENT_FLAG_FS_MAPPING": 5,
        },
    ),
    (
        "BTRFS_ORDERED_IO_DONE",
        "BTRFS_ORDERED_REGULAR",
        {
            "BTRFS_ORDERED_IO_DONE": 0, "BTRFS_ORDERED_COMPLETE": 1, "BTRFS_ORDERED_NOCOW": 2, "BTRFS_ORDERED_COMPRESSED": 3,
            "BTRFS_ORDERED_PREALLOC": 4, "BTRFS_ORDERED_DIRECT": 5, "BTRFS_ORDERED_IOERR": 6, "BTRFS_ORDERED_TRUNCATED": 7,
        },
    ),
)  # fmt: skip


def known_values(print_fmt: str) -> Mapping[str, int]:
    """Names and values for one print fmt."""
    for with_it, without, values in _OTHERWISE:
        if with_it in print_fmt and without not in print_fmt:
            return KNOWN_VALUES | values
    return KNOWN_VALUES
