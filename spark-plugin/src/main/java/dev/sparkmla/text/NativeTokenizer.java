package dev.sparkmla.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A tokenizer of the native library. Thread-safe; one owner closes it. The library's own Java class
 * is not used, because it reads files beside the tokenizer, truncates by default and sends usage
 * data to its makers.
 */
final class NativeTokenizer implements AutoCloseable {
  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
  private final long handle;
  private final TextRuns runs;
  private boolean closed;

  private NativeTokenizer(long handle, TextRuns runs) {
    this.handle = handle;
    this.runs = runs;
  }

  /**
   * Builds a tokenizer without truncation and padding.
   *
   * @param json the text of a tokenizer.json that was checked
   * @param runs refuses what its patterns do not bear
   * @throws RuntimeException in the library's words when it cannot use the text
   */
  static NativeTokenizer of(String json, TextRuns runs) {
    NativeLibrary.load();
    long handle = TokenizersLibrary.LIB.createTokenizerFromString(json);
    TokenizersLibrary.LIB.disableTruncation(handle);
    TokenizersLibrary.LIB.disablePadding(handle);
    return new NativeTokenizer(handle, runs);
  }

  /**
   * Encodes a text whose special tokens are parsed.
   *
   * @param text without lone surrogates
   * @param frame whether the tokenizer adds what it puts around every text, such as a bos token
   * @throws TextTooLongException when the library might not come back from it
   */
  int[] encode(String text, boolean frame) {
    requireEncodable(text);
    lock.readLock().lock();
    try {
      refuseClosed();
      long encoding = TokenizersLibrary.LIB.encode(handle, text, frame);
      try {
        return toInts(TokenizersLibrary.LIB.getTokenIds(encoding));
      } finally {
        TokenizersLibrary.LIB.deleteEncoding(encoding);
      }
    } finally {
      lock.readLock().unlock();
    }
  }

  /**
   * Encodes texts as {@link #encode} does each of them, on all processors at once.
   *
   * @param texts without lone surrogates
   * @param frame whether the tokenizer adds what it puts around every text, such as a bos token
   * @throws TextTooLongException when the library might not come back from one of them
   */
  List<int[]> encodeAll(List<String> texts, boolean frame) {
    texts.forEach(this::requireEncodable);
    lock.readLock().lock();
    try {
      refuseClosed();
      long[] encodings =
          TokenizersLibrary.LIB.batchEncode(handle, texts.toArray(String[]::new), frame);
      try {
        return Arrays.stream(encodings)
            .mapToObj(encoding -> toInts(TokenizersLibrary.LIB.getTokenIds(encoding)))
            .toList();
      } finally {
        for (long encoding : encodings) {
          TokenizersLibrary.LIB.deleteEncoding(encoding);
        }
      }
    } finally {
      lock.readLock().unlock();
    }
  }

  /**
   * Refuses a text that the library might not come back from.
   *
   * @throws TextTooLongException naming what is too long
   */
  void requireEncodable(String text) {
    runs.check(text);
  }

  /** Decodes ids; special tokens leave no text unless they are to be spelled out. */
  String decode(long[] ids, boolean spellsSpecialTokens) {
    lock.readLock().lock();
    try {
      refuseClosed();
      return TokenizersLibrary.LIB.decode(handle, ids, !spellsSpecialTokens);
    } finally {
      lock.readLock().unlock();
    }
  }

  private static int[] toInts(long[] ids) {
    int[] ints = new int[ids.length];
    for (int i = 0; i < ids.length; i++) {
      ints[i] = Math.toIntExact(ids[i]);
    }
    return ints;
  }

  private void refuseClosed() {
    if (closed) {
      throw new IllegalStateException("the tokenizer is closed");
    }
  }

  /** Waits for calls in flight, then frees the native tokenizer. Closing again does nothing. */
  @Override
  public void close() {
    lock.writeLock().lock();
    try {
      if (!closed) {
        closed = true;
        TokenizersLibrary.LIB.deleteTokenizer(handle);
      }
    } finally {
      lock.writeLock().unlock();
    }
  }
}
