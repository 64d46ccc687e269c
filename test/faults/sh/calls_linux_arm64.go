package main

const (
	sysRenameat2     = 276
	sysCopyFileRange = 285
)

var oldForms map[uint64]form
