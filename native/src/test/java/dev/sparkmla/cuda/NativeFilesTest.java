package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeFilesTest {
  @TempDir Path folder;

  private static final byte[] CONTENT = "content".getBytes(StandardCharsets.UTF_8);
  // sha256sum of the seven bytes above.
  private static final String HASH =
      "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";

  @Test
  void writesIntoAPrivateFolderNamedAfterTheContent() throws IOException {
    Path root = folder.resolve("a/b");
    Path file = new NativeFiles(root).unpack("lib.so", CONTENT);

    assertThat(file).isEqualTo(root.resolve(HASH).resolve("lib.so")).hasBinaryContent(CONTENT);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(root)))
        .isEqualTo("rwx------");
    assertThat(namesIn(file.getParent())).containsExactly("lib.so");
  }

  @Test
  void leavesAGoodFileAlone() throws IOException {
    NativeFiles files = new NativeFiles(folder.resolve("root"));
    Path file = files.unpack("lib.so", CONTENT);
    FileTime longAgo = FileTime.fromMillis(1_000_000);
    Files.setLastModifiedTime(file, longAgo);

    assertThat(files.unpack("lib.so", CONTENT)).isEqualTo(file);
    assertThat(Files.getLastModifiedTime(file)).isEqualTo(longAgo);
  }

  @Test
  void replacesAFileThatWasChanged() throws IOException {
    NativeFiles files = new NativeFiles(folder.resolve("root"));
    Path file = files.unpack("lib.so", CONTENT);
    Files.writeString(file, "tampered");

    assertThat(files.unpack("lib.so", CONTENT)).isEqualTo(file).hasBinaryContent(CONTENT);
  }

  @Test
  void replacesALinkToSomewhereElse() throws IOException {
    NativeFiles files = new NativeFiles(folder.resolve("root"));
    Path file = files.unpack("lib.so", CONTENT);
    Path elsewhere = Files.write(folder.resolve("elsewhere"), CONTENT);
    Files.delete(file);
    Files.createSymbolicLink(file, elsewhere);

    files.unpack("lib.so", CONTENT);

    assertThat(Files.isSymbolicLink(file)).isFalse();
    assertThat(file).hasBinaryContent(CONTENT);
  }

  @Test
  void avoidsAFolderThatOthersMayEnter() throws IOException {
    Path root = Files.createDirectory(folder.resolve("open"));
    Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxrwxrwx"));

    NativeFiles files = new NativeFiles(root);
    Path file = files.unpack("lib.so", CONTENT);

    assertThat(files.root()).isNotEqualTo(root);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(files.root())))
        .isEqualTo("rwx------");
    assertThat(file).startsWith(files.root()).hasBinaryContent(CONTENT);
    assertThat(namesIn(root)).isEmpty();
  }

  @Test
  void avoidsALinkInPlaceOfTheFolder() throws IOException {
    Path target = Files.createDirectory(folder.resolve("target"));
    Files.setPosixFilePermissions(target, PosixFilePermissions.fromString("rwx------"));
    Path root = Files.createSymbolicLink(folder.resolve("link"), target);

    NativeFiles files = new NativeFiles(root);

    assertThat(files.root()).isNotEqualTo(root);
    assertThat(files.unpack("lib.so", CONTENT)).hasBinaryContent(CONTENT);
    assertThat(namesIn(target)).isEmpty();
  }

  @Test
  void unpacksFromManyThreadsAtOnce() throws Exception {
    byte[] content = new byte[3 << 20];
    new Random(5).nextBytes(content);
    Path root = folder.resolve("root");
    int threads = 8;
    CountDownLatch start = new CountDownLatch(1);
    ExecutorService executor = Executors.newFixedThreadPool(threads);
    try {
      List<Future<byte[]>> reads = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        reads.add(
            executor.submit(
                () -> {
                  start.await();
                  return Files.readAllBytes(new NativeFiles(root).unpack("lib.so", content));
                }));
      }
      start.countDown();
      for (Future<byte[]> read : reads) {
        assertThat(read.get()).isEqualTo(content);
      }
    } finally {
      executor.shutdownNow();
    }
    try (Stream<Path> all = Files.walk(root)) {
      assertThat(all.filter(Files::isRegularFile)).hasSize(1);
    }
  }

  @Test
  void saysWhichResourceIsMissing() {
    assertThatThrownBy(() -> NativeFiles.resource("/native/none.so"))
        .isInstanceOf(FileNotFoundException.class)
        .hasMessageContaining("/native/none.so");
  }

  @Test
  void holdsJCudasLibraryUnderTheNameThatIsLookedFor() throws IOException {
    assertThat(NativeFiles.resource("/lib/libJCudaDriver-12.6.0-linux-x86_64.so")).isNotEmpty();
  }

  private static List<String> namesIn(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(path -> path.getFileName().toString()).toList();
    }
  }
}
