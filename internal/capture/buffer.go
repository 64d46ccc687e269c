package capture

// A Buffer keeps the beginning and the end of what is written to it: the
// first and the last Max/2 bytes. It grows with its content, and not beyond
// Max.
type Buffer struct {
	Max int

	head, tail []byte
	oldest     int // index of the oldest byte of tail, once tail is full
	lost       bool
}

// Write never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	n := len(p)
	half := b.Max / 2
	k := min(half-len(b.head), len(p))
	b.head = append(b.head, p[:k]...)
	p = p[k:]

	k = min(half-len(b.tail), len(p))
	b.tail = append(b.tail, p[:k]...)
	p = p[k:]
	if len(p) == 0 {
		return n, nil
	}

	b.lost = true
	if over := len(p) - half; over > 0 {
		p = p[over:]
	}
	for len(p) > 0 {
		k = copy(b.tail[b.oldest:], p)
		b.oldest = (b.oldest + k) % half
		p = p[k:]
	}
	return n, nil
}

// Bytes returns what was kept, oldest first. The slice is the caller's once
// nothing more is written.
func (b *Buffer) Bytes() []byte {
	if len(b.tail) == 0 {
		return b.head
	}
	kept := append(b.head[:len(b.head):len(b.head)], b.tail[b.oldest:]...)
	return append(kept, b.tail[:b.oldest]...)
}

// Truncated reports whether the middle is missing.
func (b *Buffer) Truncated() bool { return b.lost }
