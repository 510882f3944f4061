/**
 * Entries of a zip under a password: the traditional encryption (APPNOTE 6.1) and WinZip's AES (its specification AE-1 and
 * AE-2, versions 1.04). Whether the password is right is known before the first byte is handed out; that the data is whole,
 * after the last.
 */
import { createCipheriv, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";
import { failure } from "../../../domain/failures.ts";
import type { ByteStream } from "../source.ts";

export interface AesLock {
  readonly keyBytes: 16 | 24 | 32;
  /** AE-2 stores no checksum: its own code vouches for the data. */
  readonly hasCrc: boolean;
  /** How the data is compressed under the encryption. */
  readonly method: number;
}

interface Lock {
  readonly name: string;
  readonly secret: string;
}

const wrongSecret = (name: string, method: string) => failure("file-encrypted", { name, method, secret: "wrong" });

/** What AES puts around the data: the salt is half as long as the key. */
const VERIFIER_BYTES = 2;
const CODE_BYTES = 10;
const BLOCK_BYTES = 16;
const ITERATIONS = 1_000;

/** The field 0x9901 of an entry: version, vendor `AE`, strength 1 to 3, method. Undefined where it is not as it should be. */
export function aesLock(field: Uint8Array | undefined): AesLock | undefined {
  if (!field || field.byteLength < 7) return undefined;
  const view = new DataView(field.buffer, field.byteOffset, field.byteLength);
  const keyBytes = ([undefined, 16, 24, 32] as const)[field[4]!];
  const version = view.getUint16(0, true);
  if (keyBytes === undefined || version < 1 || version > 2 || field[2] !== 0x41 || field[3] !== 0x45) return undefined;
  return { keyBytes, hasCrc: version === 1, method: view.getUint16(5, true) };
}

/** Bytes that AES adds to an entry. */
export const aesOverhead = (lock: AesLock): number => lock.keyBytes / 2 + VERIFIER_BYTES + CODE_BYTES;

/**
 * Decrypts an AES entry of `length` bytes, salt, verifier and code included.
 * @throws `file-encrypted` for a wrong password, `file-corrupt` when the code at the end does not fit the data
 */
export async function* decryptAes(blocks: ByteStream, length: number, aes: AesLock, lock: Lock): ByteStream {
  const { keyBytes } = aes;
  const corrupt = (reason: string) => failure("file-corrupt", { name: lock.name, reason });
  const headBytes = keyBytes / 2 + VERIFIER_BYTES;
  let left = length - headBytes - CODE_BYTES;
  if (left < 0) throw corrupt("it is shorter than its encryption needs");
  const head = new Uint8Array(headBytes);
  const code = new Uint8Array(CODE_BYTES);
  let inHead = 0;
  let inCode = 0;
  let keys: { readonly stream: KeyStream; readonly hmac: ReturnType<typeof createHmac> } | undefined;
  for await (const block of blocks) {
    let at = 0;
    if (inHead < headBytes) {
      at = Math.min(block.byteLength, headBytes - inHead);
      head.set(block.subarray(0, at), inHead);
      inHead += at;
      if (inHead < headBytes) continue;
      const salt = head.subarray(0, keyBytes / 2);
      const derived = pbkdf2Sync(lock.secret, salt, ITERATIONS, keyBytes * 2 + VERIFIER_BYTES, "sha1");
      if (!timingSafeEqual(derived.subarray(keyBytes * 2), head.subarray(keyBytes / 2)))
        throw wrongSecret(lock.name, "AES");
      keys = {
        stream: new KeyStream(derived.subarray(0, keyBytes)),
        hmac: createHmac("sha1", derived.subarray(keyBytes, keyBytes * 2)),
      };
    }
    const data = block.subarray(at, at + Math.min(left, block.byteLength - at));
    left -= data.byteLength;
    if (keys && data.byteLength > 0) {
      keys.hmac.update(data);
      yield keys.stream.apply(data);
    }
    const rest = block.subarray(at + data.byteLength, at + data.byteLength + CODE_BYTES - inCode);
    code.set(rest, inCode);
    inCode += rest.byteLength;
  }
  const expected = keys?.hmac.digest().subarray(0, CODE_BYTES);
  if (!expected || !timingSafeEqual(expected, code)) throw corrupt("its authentication code is wrong");
}

/** AES in counter mode as WinZip has it: the counter is little-endian and begins at 1, so it is built here. */
class KeyStream {
  readonly #cipher;
  readonly #counter = new Uint8Array(BLOCK_BYTES);
  #ready = new Uint8Array();
  #used = 0;

  constructor(key: Uint8Array) {
    this.#cipher = createCipheriv(`aes-${key.byteLength * 8}-ecb`, key, null);
    this.#cipher.setAutoPadding(false);
  }

  apply(data: Uint8Array): Uint8Array {
    const out = new Uint8Array(data.byteLength);
    for (let at = 0; at < data.byteLength; at += 1) {
      if (this.#used === this.#ready.byteLength) this.#more(data.byteLength - at);
      out[at] = data[at]! ^ this.#ready[this.#used]!;
      this.#used += 1;
    }
    return out;
  }

  #more(bytes: number): void {
    const counters = new Uint8Array(Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES);
    for (let at = 0; at < counters.byteLength; at += BLOCK_BYTES) {
      for (let i = 0; i < BLOCK_BYTES; i += 1) {
        this.#counter[i]! += 1;
        if (this.#counter[i] !== 0) break;
      }
      counters.set(this.#counter, at);
    }
    this.#ready = this.#cipher.update(counters);
    this.#used = 0;
  }
}

/** What the traditional encryption puts before the data. */
export const CRYPTO_HEADER_BYTES = 12;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k += 1) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c >>> 0;
});

/**
 * Decrypts a traditional entry. One wrong password of 256 passes the check of `checkByte`: then the data makes no sense, and
 * its checksum says so.
 * @throws `file-encrypted` for a wrong password, `file-corrupt` when there is not even a header
 */
export async function* decryptZipCrypto(blocks: ByteStream, checkByte: number, lock: Lock): ByteStream {
  const keys = new TraditionalKeys(new TextEncoder().encode(lock.secret));
  let inHeader = 0;
  for await (const block of blocks) {
    const out = Uint8Array.from(block);
    keys.decrypt(out);
    const taken = Math.min(out.byteLength, CRYPTO_HEADER_BYTES - inHeader);
    inHeader += taken;
    if (taken > 0 && inHeader === CRYPTO_HEADER_BYTES && out[taken - 1] !== checkByte)
      throw wrongSecret(lock.name, "ZipCrypto");
    if (out.byteLength > taken) yield out.subarray(taken);
  }
  if (inHeader < CRYPTO_HEADER_BYTES) {
    throw failure("file-corrupt", { name: lock.name, reason: "it is shorter than its encryption needs" });
  }
}

class TraditionalKeys {
  #a = 0x12345678;
  #b = 0x23456789;
  #c = 0x34567890;

  constructor(secret: Uint8Array) {
    for (const byte of secret) this.#update(byte);
  }

  decrypt(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.byteLength; i += 1) {
      const t = (this.#c | 2) & 0xffff;
      const plain = bytes[i]! ^ ((Math.imul(t, t ^ 1) >>> 8) & 0xff);
      bytes[i] = plain;
      this.#update(plain);
    }
  }

  #update(byte: number): void {
    this.#a = (CRC_TABLE[(this.#a ^ byte) & 0xff]! ^ (this.#a >>> 8)) >>> 0;
    this.#b = (Math.imul((this.#b + (this.#a & 0xff)) >>> 0, 134_775_813) + 1) >>> 0;
    this.#c = (CRC_TABLE[(this.#c ^ (this.#b >>> 24)) & 0xff]! ^ (this.#c >>> 8)) >>> 0;
  }
}
