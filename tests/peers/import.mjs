// Imports what it is told with ipfs-unixfs-importer and answers with the root's CID: one JSON request a line in, one answer a line out.
// request: {"entries": [{"path": "a/b", "file": "/tmp/x"} | {"path": "a", "dir": true}], "options": {…}, "size": n?}
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { BlackHoleBlockstore } from 'blockstore-core/black-hole'
import { importer } from 'ipfs-unixfs-importer'
import { balanced, trickle } from 'ipfs-unixfs-importer/layout'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'

function settings ({ chunkSize = 262144, maxChildren = 174, layout = 'balanced', ...rest }) {
  return {
    reduceSingleLeafToSelf: layout === 'balanced',
    leafType: layout === 'balanced' ? 'file' : 'raw',
    layout: layout === 'balanced' ? balanced({ maxChildrenPerNode: maxChildren }) : trickle({ maxChildrenPerNode: maxChildren }),
    chunker: fixedSize({ chunkSize }),
    ...rest
  }
}

function * source (entries) {
  for (const { path, file, dir } of entries) yield dir ? { path } : { path, content: createReadStream(file) }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { entries, options } = JSON.parse(line)
  let last
  try {
    for await (const entry of importer(source(entries), new BlackHoleBlockstore(), settings(options))) last = entry
    console.log(JSON.stringify({ cid: last.cid.toString(), path: last.path }))
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }))
  }
}
