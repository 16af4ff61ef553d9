package dev.sparkmla.jobs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Java's folder for temporary files, which native libraries are unpacked into and loaded from. */
final class TemporaryFolder {
  private TemporaryFolder() {}

  /**
   * Refuses a folder that native libraries cannot be loaded from.
   *
   * @throws JobException when it cannot be written, or is mounted noexec
   */
  static void requireExecutable() {
    String folder = System.getProperty("java.io.tmpdir");
    String remedy =
        "; name another one with" + " --conf spark.driver.extraJavaOptions=-Djava.io.tmpdir=FOLDER";
    try {
      Path file = Files.createTempFile("spark-mla-", ".so");
      try {
        // Where a folder is mounted noexec, no file in it is executable, whatever its permissions.
        if (!file.toFile().setExecutable(true) || !Files.isExecutable(file)) {
          throw new JobException(
              "no library can be loaded from the temporary folder "
                  + folder
                  + ", which is mounted noexec"
                  + remedy);
        }
      } finally {
        Files.delete(file);
      }
    } catch (IOException problem) {
      throw new JobException(
          "the temporary folder " + folder + " cannot be written: " + problem.getMessage() + remedy,
          problem);
    }
  }
}
