package canary

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer"
)

// tinyProgram is a static linux/amd64 program with a mark and, behind what is
// loaded, a tail as symbols would be. It is well-formed but does nothing.
func tinyProgram() []byte {
	const headers = 64 + 56
	loaded := headers + len(mark)
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, elf.Header64{
		Ident:     [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:      uint16(elf.ET_EXEC),
		Machine:   uint16(elf.EM_X86_64),
		Version:   uint32(elf.EV_CURRENT),
		Phoff:     64,
		Shoff:     uint64(loaded + len("tail")),
		Ehsize:    64,
		Phentsize: 56,
		Phnum:     1,
		Shentsize: 64,
		Shnum:     1,
	})
	binary.Write(&b, binary.LittleEndian, elf.Prog64{Type: uint32(elf.PT_LOAD), Filesz: uint64(loaded), Memsz: uint64(loaded)})
	b.WriteString(mark + "tail")
	binary.Write(&b, binary.LittleEndian, elf.Section64{})
	return b.Bytes()
}

// changed returns the tiny program with some bytes replaced.
func changed(at int, with ...byte) []byte {
	data := tinyProgram()
	copy(data[at:], with)
	return data
}

// stripped returns the tiny program without a tail.
func stripped() []byte {
	data := tinyProgram()
	clear(data[0x28:0x30])
	clear(data[0x3a:0x40])
	return data[:64+56+len(mark)]
}

func write(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadProgram(t *testing.T) {
	whole := tinyProgram()
	got, err := readProgram(bytes.NewReader(whole), amd64)
	if err != nil {
		t.Fatal(err)
	}
	if want := stripped(); !bytes.Equal(got, want) {
		t.Errorf("stripped: got\n%x\nwant\n%x", got, want)
	}
	f, err := elf.NewFile(bytes.NewReader(got))
	if err != nil {
		t.Fatalf("stripped: got %v, want an ELF file", err)
	}
	if len(f.Sections) != 0 {
		t.Errorf("stripped: got %d sections, want none", len(f.Sections))
	}
	again, err := readProgram(bytes.NewReader(got), amd64)
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("stripped twice: got %d bytes and %v, want the same %d", len(again), err, len(got))
	}
}

func TestReadProgramRefuses(t *testing.T) {
	const machine, kind, abi, segment, fileSize = 0x12, 0x10, 7, 64, 64 + 32
	for _, c := range []struct {
		what string
		data []byte
		want string
	}{
		{"nothing", nil, "not an ELF program"},
		{"a script", []byte("#!/bin/sh\nexec sandboxer\n"), "not an ELF program"},
		{"half a header", tinyProgram()[:40], "a damaged ELF program"},
		{"a Mac's", []byte("\xcf\xfa\xed\xfe\x0c\x00\x00\x01"), "built for macOS, want linux"},
		{"an object file", changed(kind, byte(elf.ET_REL)), "not a program"},
		{"another system's", changed(abi, byte(elf.ELFOSABI_FREEBSD)), "want linux"},
		{"another architecture's", changed(machine, byte(elf.EM_AARCH64)), "built for arm64, want amd64"},
		{"an unknown architecture's", changed(machine, 0xf7, 0), "built for EM_BPF, want amd64"},
		{"a dynamic one", changed(segment, byte(elf.PT_INTERP)), "linked dynamically"},
		{"nothing loaded", changed(segment, byte(elf.PT_NOTE)), "nothing in it is loaded"},
		{"half of it", tinyProgram()[:130], "a damaged ELF program"},
		{"half of it, stripped", stripped()[:130], "truncated: 130 bytes, want at least 148"},
		{"an endless one", changed(fileSize, 0, 0, 0, 0, 0, 1), "want at most"},
		{"an overflowing one", changed(fileSize, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), ""},
		{"headers left out", changed(fileSize, 70), "not a canary"},
		{"another program", bytes.ReplaceAll(tinyProgram(), []byte("sandboxer canary"), []byte("something else..")), "canary.Main()"},
	} {
		_, err := readProgram(bytes.NewReader(c.data), amd64)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.what, err, c.want)
		}
	}
}

func FuzzReadProgram(f *testing.F) {
	f.Add(tinyProgram())
	f.Add(changed(4, byte(elf.ELFCLASS32)))
	f.Add(changed(5, byte(elf.ELFDATA2MSB)))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readProgram(bytes.NewReader(data), amd64)
		if err != nil {
			return
		}
		if len(got) > len(data) {
			t.Fatalf("got %d bytes of %d", len(got), len(data))
		}
		again, err := readProgram(bytes.NewReader(got), amd64)
		if err != nil || !bytes.Equal(got, again) {
			t.Fatalf("stripped twice: got %v, want the same again", err)
		}
	})
}

func TestArch(t *testing.T) {
	for _, c := range []struct {
		machine elf.Machine
		data    elf.Data
		want    string
	}{
		{elf.EM_X86_64, elf.ELFDATA2LSB, "amd64"},
		{elf.EM_AARCH64, elf.ELFDATA2LSB, "arm64"},
		{elf.EM_386, elf.ELFDATA2LSB, "386"},
		{elf.EM_ARM, elf.ELFDATA2LSB, "arm"},
		{elf.EM_RISCV, elf.ELFDATA2LSB, "riscv64"},
		{elf.EM_S390, elf.ELFDATA2MSB, "s390x"},
		{elf.EM_LOONGARCH, elf.ELFDATA2LSB, "loong64"},
		{elf.EM_PPC64, elf.ELFDATA2LSB, "ppc64le"},
		{elf.EM_PPC64, elf.ELFDATA2MSB, "ppc64"},
		{elf.EM_MIPS, elf.ELFDATA2MSB, "EM_MIPS"},
	} {
		f := &elf.File{FileHeader: elf.FileHeader{Machine: c.machine, Data: c.data}}
		if got := arch(f); got != c.want {
			t.Errorf("arch of %v, %v: got %q, want %q", c.machine, c.data, got, c.want)
		}
	}
}

func TestCheckPlatform(t *testing.T) {
	for _, c := range []struct {
		platform sandboxer.Platform
		ok       bool
	}{
		{sandboxer.Platform{OS: "linux", Arch: "amd64"}, true},
		{sandboxer.Platform{OS: "linux", Arch: "ppc64le"}, true},
		{sandboxer.Platform{OS: "darwin", Arch: "arm64"}, false},
		{sandboxer.Platform{OS: "linux"}, false},
		{sandboxer.Platform{OS: "linux", Arch: "../../x"}, false},
		{sandboxer.Platform{OS: "linux", Arch: "amd64\nGOFLAGS=-toolexec=x"}, false},
	} {
		if err := checkPlatform(c.platform); (err == nil) != c.ok {
			t.Errorf("platform %q: got %v, want ok %v", c.platform, err, c.ok)
		}
	}
}
