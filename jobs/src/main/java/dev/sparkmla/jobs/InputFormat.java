package dev.sparkmla.jobs;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** What a file of documents is written in. */
enum InputFormat {
  /** JSON lines: an object a line. */
  JSON(List.of("json", "jsonl", "ndjson")),
  /** Parquet. */
  PARQUET(List.of("parquet")),
  /** Comma-separated, with a header; quoted values may span lines, a quote in one is doubled. */
  CSV(List.of("csv")),
  /** Plain text: a document a line. */
  TEXT(List.of("text", "txt"));

  private static final List<String> COMPRESSIONS = List.of("gz", "bz2", "zst", "snappy", "lz4");

  private final List<String> extensions;

  InputFormat(List<String> extensions) {
    this.extensions = extensions;
  }

  /** The format that a file's name speaks of, a compression's extension aside. */
  static Optional<InputFormat> ofName(String name) {
    String[] parts = name.toLowerCase(Locale.ROOT).split("\\.");
    int last = parts.length - 1;
    if (last > 0 && COMPRESSIONS.contains(parts[last])) {
      last--;
    }
    for (InputFormat format : values()) {
      if (last > 0 && format.extensions.contains(parts[last])) {
        return Optional.of(format);
      }
    }
    return Optional.empty();
  }

  /** The spelling on the command line. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
