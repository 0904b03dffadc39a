"""Names and layouts of code and data: ELF files, BTF types, captured memory."""
