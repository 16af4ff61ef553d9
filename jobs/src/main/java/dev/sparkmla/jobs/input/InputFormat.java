package dev.sparkmla.jobs.input;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** What a file of documents is written in. */
public enum InputFormat {
  /** JSON lines: an object a line. */
  JSON,
  /** Parquet. */
  PARQUET,
  /** Comma-separated, with a header; quoted values may span lines, a quote in one is doubled. */
  CSV,
  /** Plain text: a document a line. */
  TEXT;

  private static final Set<String> COMPRESSIONS = Set.of("gz", "bz2", "zst");

  /** Archives, and compressions that Spark does not read or that have two formats of one name. */
  private static final Set<String> UNREAD =
      Set.of("lz4", "snappy", "xz", "lzma", "lzo", "br", "z", "zip", "7z", "rar", "tar", "tgz");

  /** The format that a file's name says, a compression's extension aside. */
  static Optional<InputFormat> ofName(String name) {
    return extension(name).flatMap(InputFormat::ofExtension);
  }

  /** Whether a file's name says that it is an archive, or compressed as nothing here reads it. */
  static boolean isUnread(String name) {
    return extension(name).filter(UNREAD::contains).isPresent();
  }

  /** What a name ends in, a compression's extension that Spark reads aside. */
  private static Optional<String> extension(String name) {
    List<String> parts = Arrays.asList(name.toLowerCase(Locale.ROOT).split("\\.", -1));
    int last = parts.size() - 1;
    if (last > 0 && COMPRESSIONS.contains(parts.get(last))) {
      last--;
    }
    return last > 0 ? Optional.of(parts.get(last)) : Optional.empty();
  }

  private static Optional<InputFormat> ofExtension(String extension) {
    return switch (extension) {
      case "json", "jsonl", "ndjson" -> Optional.of(JSON);
      case "parquet" -> Optional.of(PARQUET);
      case "csv" -> Optional.of(CSV);
      case "txt", "text" -> Optional.of(TEXT);
      default -> Optional.empty();
    };
  }

  /** The spelling on the command line. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
