package dev.sparkmla.jobs.input;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Says what a file is whose lines are no JSON objects. */
final class FileInspection {
  /** Lines of the file that are looked at. */
  static final int LINES = 50;

  private static final String UTF_16 = "is UTF-16; convert it, as with iconv -f UTF-16 -t UTF-8";

  private static final List<Magic> MAGIC =
      List.of(
          new Magic("is Parquet; say --input-format parquet", 'P', 'A', 'R', '1'),
          new Magic("is compressed by gzip; its name has to end in .gz", 0x1F, 0x8B),
          new Magic("is compressed by bzip2; its name has to end in .bz2", 'B', 'Z', 'h'),
          new Magic(
              "is compressed by Zstandard; its name has to end in .zst", 0x28, 0xB5, 0x2F, 0xFD),
          new Magic("is a ZIP archive; unpack it", 'P', 'K', 3, 4),
          new Magic(UTF_16, 0xFF, 0xFE),
          new Magic(UTF_16, 0xFE, 0xFF),
          new Magic(UTF_16, '{', 0),
          new Magic(UTF_16, 0, '{'));

  private record Magic(String meaning, byte[] bytes) {
    Magic(String meaning, int... bytes) {
      this(meaning, new byte[bytes.length]);
      for (int i = 0; i < bytes.length; i++) {
        this.bytes[i] = (byte) bytes[i];
      }
    }

    boolean begins(byte[] file) {
      int length = Math.min(bytes.length, file.length);
      return length == bytes.length && Arrays.equals(file, 0, length, bytes, 0, length);
    }
  }

  private FileInspection() {}

  /**
   * Says what a file is and what to do.
   *
   * @param beginning its first {@link #LINES} lines
   * @return what goes after the file's name; empty where nothing is known of it
   */
  static Optional<String> describe(byte[] beginning) {
    return MAGIC.stream()
        .filter(magic -> magic.begins(beginning))
        .findFirst()
        .map(Magic::meaning)
        .or(() -> overLines(beginning));
  }

  /** Whether a JSON value goes on beyond the first line that it is on. */
  private static Optional<String> overLines(byte[] beginning) {
    String remedy = "has JSON over several lines; write an object a line, as with jq -c ";
    try (JsonParser parser = LineReader.FACTORY.createParser(beginning)) {
      JsonToken first = parser.nextToken();
      if (first == JsonToken.START_ARRAY || first == JsonToken.START_OBJECT) {
        int line = parser.currentTokenLocation().getLineNr();
        while (parser.nextToken() != null && parser.getParsingContext().getParent() != null) {
          if (parser.currentTokenLocation().getLineNr() > line) {
            return Optional.of(remedy + (first == JsonToken.START_ARRAY ? ".[]" : "."));
          }
        }
      }
    } catch (IOException notJson) {
      return Optional.empty();
    }
    return Optional.empty();
  }
}
