package canary

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tegwick/sand-boxer"
)

// maxProgram bounds the stripped program: it is uploaded to every host.
const maxProgram = 64 << 20

// mark stands in each program whose main function can begin with Main, and in
// no other: only what Main leads to refers to it, so that the linker drops it
// where Main is not called. Its number is the version of what is agreed on
// between the uploaded program and the files and checks around it.
const mark = "sandboxer canary, version 1\n"

// wantMark returns mark without containing it.
func wantMark() []byte {
	return []byte(strings.Join([]string{"sandboxer", "canary, version 1\n"}, " "))
}

// readProgram reads the part of a static linux program that is loaded when it
// runs, for a host of platform p. Symbols, debugging information and section
// headers are not part of it: the result is the shortest file that runs the
// same. It refuses what cannot be run as a canary there.
func readProgram(r io.ReaderAt, p sandboxer.Platform) ([]byte, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, notELF(r)
	}
	if err := suits(f, p); err != nil {
		return nil, err
	}
	size := loadedSize(f)
	if size > maxProgram {
		return nil, fmt.Errorf("%d bytes of program, want at most %d", size, maxProgram)
	}
	data := make([]byte, size)
	n, err := io.ReadFull(io.NewSectionReader(r, 0, int64(size)), data)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("truncated: %d bytes, want at least %d", n, size)
	} else if err != nil {
		return nil, fmt.Errorf("read the program: %w", err)
	}
	if !bytes.Contains(data, wantMark()) {
		return nil, errors.New("not a canary: its main function does not begin with canary.Main()")
	}
	return data, dropSections(data, f)
}

// notELF says of what is no readable ELF file what it may be instead.
func notELF(r io.ReaderAt) error {
	var magic [4]byte
	if _, err := r.ReadAt(magic[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the program: %w", err)
	}
	switch string(magic[:]) {
	case elf.ELFMAG:
		return errors.New("a damaged ELF program")
	case "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe": // one architecture, several
		return errors.New("built for macOS, want linux")
	}
	return errors.New("not an ELF program")
}

// suits returns why f does not run on p by itself, with nothing beside it.
func suits(f *elf.File, p sandboxer.Platform) error {
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return fmt.Errorf("not a program but %v", f.Type)
	}
	if f.OSABI != elf.ELFOSABI_NONE && f.OSABI != elf.ELFOSABI_LINUX {
		return fmt.Errorf("built for %v, want linux", f.OSABI)
	}
	if got := arch(f); got != p.Arch {
		return fmt.Errorf("built for %s, want %s", got, p.Arch)
	}
	loads := false
	for _, s := range f.Progs {
		if s.Type == elf.PT_INTERP {
			return errors.New("linked dynamically, want static (CGO_ENABLED=0)")
		}
		loads = loads || s.Type == elf.PT_LOAD
	}
	if !loads {
		return errors.New("not a program: nothing in it is loaded")
	}
	return nil
}

// arch names f's architecture as GOARCH does.
func arch(f *elf.File) string {
	little := f.Data == elf.ELFDATA2LSB
	switch f.Machine {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_386:
		return "386"
	case elf.EM_ARM:
		return "arm"
	case elf.EM_RISCV:
		return "riscv64"
	case elf.EM_S390:
		return "s390x"
	case elf.EM_LOONGARCH:
		return "loong64"
	case elf.EM_PPC64:
		if little {
			return "ppc64le"
		}
		return "ppc64"
	}
	return f.Machine.String()
}

// loadedSize returns where the last byte lies that the kernel or the program
// itself can get at through a program header. Go's linker, like others, puts
// symbols and debugging information behind it.
func loadedSize(f *elf.File) uint64 {
	var size uint64
	for _, s := range f.Progs {
		if end := s.Off + s.Filesz; s.Filesz > 0 && end > size && end >= s.Off {
			size = end
		}
	}
	return size
}

// dropSections makes data, the beginning of f, say that it has no sections:
// e_shoff, e_shentsize, e_shnum and e_shstrndx of elf(5) become zero.
func dropSections(data []byte, f *elf.File) error {
	off, offLen, rest := 0x28, 8, 0x3a
	if f.Class == elf.ELFCLASS32 {
		off, offLen, rest = 0x20, 4, 0x2e
	}
	if len(data) < rest+6 || programHeadersEnd(data, f) > uint64(len(data)) {
		return errors.New("the program's headers are not part of it")
	}
	clear(data[off : off+offLen])
	clear(data[rest : rest+6])
	return nil
}

// programHeadersEnd is e_phoff + e_phentsize * e_phnum. The caller has seen
// that data holds a whole ELF header.
func programHeadersEnd(data []byte, f *elf.File) uint64 {
	var order binary.ByteOrder = f.ByteOrder
	if f.Class == elf.ELFCLASS32 {
		return uint64(order.Uint32(data[0x1c:])) + uint64(order.Uint16(data[0x2a:]))*uint64(order.Uint16(data[0x2c:]))
	}
	return order.Uint64(data[0x20:]) + uint64(order.Uint16(data[0x36:]))*uint64(order.Uint16(data[0x38:]))
}
