package dev.sparkmla.engine;

import dev.sparkmla.model.ModelFormatException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;

/**
 * What stands in for a model folder's files after a download that did not end: links to nothing and
 * Git LFS pointers. A file behind such a link would count as one that a model need not have, and
 * its template or its sampling would be lost without a word.
 */
public final class FolderFiles {
  private static final String POINTER = "version https://git-lfs.github.com/spec/";

  /** Pointers have some 130 bytes. */
  private static final long LARGEST_POINTER = 1024;

  private FolderFiles() {}

  /**
   * Refuses a folder that holds such files.
   *
   * @throws ModelFormatException naming the first, or the folder where it cannot be read
   */
  public static void check(Path folder) {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        checkFile(file);
      }
    } catch (NoSuchFileException e) {
      throw new ModelFormatException(folder, "is missing; expected a model folder", e);
    } catch (NotDirectoryException e) {
      throw new ModelFormatException(folder, "is a file; expected a model folder", e);
    } catch (IOException e) {
      throw new ModelFormatException(folder, "cannot be read: " + e, e);
    }
  }

  private static void checkFile(Path file) throws IOException {
    if (!Files.exists(file)) {
      throw new ModelFormatException(
          file,
          "is a link to "
              + (Files.isSymbolicLink(file) ? Files.readSymbolicLink(file) : "a file")
              + ", which is not there; download the model again, all of it");
    }
    if (!Files.isRegularFile(file) || Files.size(file) > LARGEST_POINTER) {
      return;
    }
    try (InputStream content = Files.newInputStream(file)) {
      byte[] begin = content.readNBytes(POINTER.length());
      if (new String(begin, StandardCharsets.UTF_8).equals(POINTER)) {
        throw new ModelFormatException(
            file, "is a Git LFS pointer, not the file itself; run git lfs pull in its folder");
      }
    }
  }
}
