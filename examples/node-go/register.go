// One node that keeps registers, and a log of them on disk, in nothing but Go's standard library.
//
// With -log synced every change is on disk before it is answered. With -log buffered changes are
// collected first, 64 KiB of them, and whoever kills the node kills what it has promised.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync"
)

type request struct {
	ID    int             `json:"id"`
	F     string          `json:"f"`
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

type problem struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

type answer struct {
	ID    int      `json:"id"`
	OK    any      `json:"ok"` // null is a result, too
	Error *problem `json:"error,omitempty"`
}

type change struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

type node struct {
	mutex     sync.Mutex // one operation at a time
	registers map[string]json.RawMessage
	file      *os.File
	buffer    *bufio.Writer
	synced    bool
}

func (n *node) perform(r request) (any, *problem) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	switch current := n.registers[r.Key]; r.F {
	case "status":
		return map[string]bool{"ready": true, "leading": true}, nil
	case "get":
		return current, nil
	case "put":
		n.set(r.Key, r.Value)
	case "cas":
		var pair [2]json.RawMessage
		if err := json.Unmarshal(r.Value, &pair); err != nil {
			return nil, &problem{"malformed", err.Error()}
		}
		if !same(current, pair[0]) {
			return nil, &problem{"compare-failed", "it was " + string(current)}
		}
		n.set(r.Key, pair[1])
	default:
		return nil, &problem{"unsupported", "there is no " + r.F}
	}
	return nil, nil
}

// A register that was never written is null.
func same(current, expected json.RawMessage) bool {
	if current == nil {
		current = json.RawMessage("null")
	}
	return bytes.Equal(current, expected)
}

// An answer must not promise what the disk refused: better to end.
func (n *node) set(key string, value json.RawMessage) {
	must(json.NewEncoder(n.buffer).Encode(change{key, value}))
	if n.synced {
		must(n.buffer.Flush())
		must(n.file.Sync())
	}
	n.registers[key] = value
}

func (n *node) serve(connection net.Conn) {
	defer connection.Close()
	requests, answers := json.NewDecoder(connection), json.NewEncoder(connection)
	for {
		var r request
		if requests.Decode(&r) != nil {
			return // the client is gone, which is its right
		}
		ok, wrong := n.perform(r)
		if answers.Encode(answer{r.ID, ok, wrong}) != nil {
			return
		}
	}
}

// What follows the last whole line was torn by a crash, and never answered.
func (n *node) recover() {
	whole := int64(0)
	lines := bufio.NewReader(n.file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var c change
		must(json.Unmarshal(line, &c))
		n.registers[c.Key] = c.Value
		whole += int64(len(line))
	}
	must(n.file.Truncate(whole))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	data := flag.String("data", ".", "directory")
	listen := flag.String("listen", "127.0.0.1:0", "address for clients")
	mode := flag.String("log", "synced", "synced or buffered")
	flag.Parse()
	file, err := os.OpenFile(filepath.Join(*data, "log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	must(err)
	n := &node{
		registers: map[string]json.RawMessage{},
		file:      file,
		buffer:    bufio.NewWriterSize(file, 64*1024),
		synced:    *mode == "synced",
	}
	n.recover()
	listener, err := net.Listen("tcp", *listen)
	must(err)
	for {
		connection, err := listener.Accept()
		must(err)
		go n.serve(connection)
	}
}
