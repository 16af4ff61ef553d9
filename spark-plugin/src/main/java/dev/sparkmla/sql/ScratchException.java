package dev.sparkmla.sql;

import java.io.File;
import java.io.IOException;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.apache.spark.SparkEnv;
import org.apache.spark.storage.BlockManager;

/** Finished rows cannot be written to an executor's local folders, or read from there. */
public final class ScratchException extends IOException {
  private static final long serialVersionUID = 1L;

  private ScratchException(String message, IOException cause) {
    super(message, cause);
  }

  /**
   * Names the host and the folders of this executor.
   *
   * @param problem what the operating system says
   */
  static ScratchException of(IOException problem) {
    BlockManager blocks = SparkEnv.get().blockManager();
    String folders =
        Arrays.stream(blocks.diskBlockManager().localDirs())
            .map(File::getPath)
            .collect(Collectors.joining(", "));
    return new ScratchException(
        "finished rows cannot be kept in "
            + folders
            + " on the host "
            + blocks.blockManagerId().host()
            + ": "
            + problem // Its message alone may be no more than a file's name.
            + "; free space there, or name other folders in spark.local.dir",
        problem);
  }
}
