package dev.sparkmla.plugin.location;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sparkmla.plugin.location.StoredFiles.StoredFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * What a whole copy of a folder holds, kept in a file of the copy.
 *
 * @param source the folder's URI
 * @param files by name
 */
record CopyRecord(String source, Map<String, CopiedFile> files) {
  private static final String FILE = ".spark-mla-copy.json";
  private static final int BUFFER = 1 << 20;
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  /**
   * A file of the copy.
   *
   * @param size in bytes
   * @param crc32c of its bytes
   * @param modified when it had been written, in milliseconds since 1970
   */
  record CopiedFile(long size, int crc32c, long modified) {
    /** Reads what a file holds now. */
    static CopiedFile of(Path file) throws IOException {
      CRC32C crc = new CRC32C();
      byte[] buffer = new byte[BUFFER];
      long size = 0;
      try (InputStream content = Files.newInputStream(file)) {
        for (int read = content.read(buffer); read >= 0; read = content.read(buffer)) {
          crc.update(buffer, 0, read);
          size += read;
        }
      }
      long modified = Files.getLastModifiedTime(file).toMillis();
      return new CopiedFile(size, (int) crc.getValue(), modified);
    }
  }

  /** Writes the record into its copy. */
  void write(Path copy) throws IOException {
    JSON.writeValue(copy.resolve(FILE).toFile(), this);
  }

  /**
   * Whether a folder is a whole copy of files: all are there with their sizes, and what was changed
   * since it was copied has the bytes that it had then.
   */
  static boolean holds(Path copy, List<StoredFile> files) {
    Path file = copy.resolve(FILE);
    if (!Files.isRegularFile(file)) {
      return false;
    }
    try {
      Map<String, CopiedFile> copied = new TreeMap<>(read(file).files());
      for (StoredFile stored : files) {
        CopiedFile written = copied.remove(stored.name());
        if (written == null || !isUnchanged(copy.resolve(stored.name()), written)) {
          return false;
        }
      }
      return copied.isEmpty();
    } catch (IOException broken) {
      return false;
    }
  }

  private static CopyRecord read(Path file) throws IOException {
    CopyRecord record = JSON.readValue(file.toFile(), CopyRecord.class);
    if (record == null || record.files() == null || record.files().containsValue(null)) {
      throw new IOException(file + " is no record of a copy");
    }
    return record;
  }

  private static boolean isUnchanged(Path file, CopiedFile written) throws IOException {
    if (Files.size(file) != written.size()) {
      return false;
    }
    return Files.getLastModifiedTime(file).toMillis() == written.modified()
        || CopiedFile.of(file).crc32c() == written.crc32c();
  }
}
