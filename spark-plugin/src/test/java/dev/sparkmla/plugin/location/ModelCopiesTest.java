package dev.sparkmla.plugin.location;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.model.ModelFormatException;
import dev.sparkmla.plugin.JavaProcess;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Copies of folders behind URIs: which files, once, whole, and what is said where that fails. */
class ModelCopiesTest {
  private static final String WEIGHTS = "model-00001.safetensors";

  @TempDir Path temporary;
  private Path source;
  private Path cache;
  private final Configuration hadoop = FaultyFileSystem.settings();

  @BeforeEach
  void write() throws IOException {
    source = Files.createDirectories(temporary.resolve("Some Model"));
    cache = temporary.resolve("cache").resolve("models");
    Files.writeString(source.resolve("config.json"), "{}");
    Files.writeString(source.resolve("tiktoken.model"), "YQ== 0");
    Files.writeString(source.resolve("chat_template.jinja"), "");
    Files.write(source.resolve(WEIGHTS), new byte[5 << 20]);
    Files.write(source.resolve("consolidated.safetensors"), new byte[8]);
    Files.writeString(source.resolve("README.md"), "is not read");
    Files.createDirectories(source.resolve("original").resolve("config.json"));
  }

  private Path locate(String scheme) {
    return locate(scheme, FolderPart.ALL);
  }

  private Path locate(String scheme, FolderPart part) {
    return new ModelLocator(cache, hadoop, Map.of(), part)
        .locate(ModelLocation.parse(scheme + source));
  }

  private static Set<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).collect(Collectors.toSet());
    }
  }

  @Test
  void copiesWhatAModelNeedsAndNothingElse() throws IOException {
    Path all = locate("file://");
    assertThat(all).isDirectory().hasParent(cache);
    assertThat(all.getFileName().toString()).matches("Some_Model-[0-9a-f]{16}");
    assertThat(names(all))
        .containsExactlyInAnyOrder(
            "config.json",
            "tiktoken.model",
            "chat_template.jinja",
            WEIGHTS,
            ".spark-mla-copy.json");
    assertThat(all.resolve(WEIGHTS)).hasSameBinaryContentAs(source.resolve(WEIGHTS));
    assertThat(names(locate("file://", FolderPart.TEXT))).contains("config.json");
    assertThat(names(locate("file://", FolderPart.TEXT))).doesNotContain(WEIGHTS);
  }

  @Test
  void copiesOnceAndAgainWhenTheFolderHasChanged() throws IOException {
    int before = FaultyFileSystem.OPENED.get();
    Path first = locate("faulty://");
    assertThat(FaultyFileSystem.OPENED).hasValue(before + 4);
    assertThat(locate("faulty://")).isEqualTo(first);
    assertThat(FaultyFileSystem.OPENED).hasValue(before + 4);

    Files.writeString(source.resolve("config.json"), "{\"changed\": true}");
    assertThat(locate("faulty://")).isNotEqualTo(first);
    assertThat(FaultyFileSystem.OPENED).hasValue(before + 8);
    assertThat(first).as("which another executor may have mapped").isDirectory();
  }

  /** What may happen to a copy. */
  private enum Damage {
    FLIPPED_BYTE {
      @Override
      void to(Path copy) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(copy.resolve(WEIGHTS).toFile(), "rw")) {
          file.seek(4 << 20);
          file.write(1);
        }
        Files.setLastModifiedTime(copy.resolve(WEIGHTS), FileTime.fromMillis(0));
      }
    },
    CUT_FILE {
      @Override
      void to(Path copy) throws IOException {
        FileTime time = Files.getLastModifiedTime(copy.resolve(WEIGHTS));
        try (FileChannel file = FileChannel.open(copy.resolve(WEIGHTS), StandardOpenOption.WRITE)) {
          file.truncate(5);
        }
        Files.setLastModifiedTime(copy.resolve(WEIGHTS), time);
      }
    },
    LOST_FILE {
      @Override
      void to(Path copy) throws IOException {
        Files.delete(copy.resolve("config.json"));
      }
    },
    LOST_RECORD {
      @Override
      void to(Path copy) throws IOException {
        Files.delete(copy.resolve(".spark-mla-copy.json"));
      }
    },
    BROKEN_RECORD {
      @Override
      void to(Path copy) throws IOException {
        Files.writeString(
            copy.resolve(".spark-mla-copy.json"), "{\"files\": {\"config.json\": null}}");
      }
    };

    abstract void to(Path copy) throws IOException;
  }

  @ParameterizedTest
  @EnumSource(Damage.class)
  void aBrokenCopyIsMadeAgain(Damage damage) throws IOException {
    Path copy = locate("file://");
    damage.to(copy);

    assertThat(locate("file://")).isEqualTo(copy);
    assertThat(copy.resolve(WEIGHTS)).hasSameBinaryContentAs(source.resolve(WEIGHTS));
    assertThat(copy.resolve("config.json")).hasContent("{}");
  }

  @Test
  void aCopyThatWasOnlyTouchedIsKept() throws IOException {
    locate("faulty://");
    int before = FaultyFileSystem.OPENED.get();
    Files.setLastModifiedTime(locate("faulty://").resolve(WEIGHTS), FileTime.fromMillis(0));

    locate("faulty://");
    assertThat(FaultyFileSystem.OPENED).hasValue(before);
  }

  /** Copies what its arguments say when it is told to, and says how many files it opened. */
  static final class Executor {
    public static void main(String[] arguments) throws IOException {
      ModelLocator locator =
          new ModelLocator(
              Path.of(arguments[0]), FaultyFileSystem.settings(), Map.of(), FolderPart.ALL);
      System.out.println("is ready");
      if (System.in.read() >= 0) {
        Path folder = locator.locate(ModelLocation.parse(arguments[1]));
        System.out.println("opened " + FaultyFileSystem.OPENED + " for " + folder.getFileName());
      }
    }
  }

  @Test
  void executorsOfAHostCopyOnceAndShareTheCopy() throws Exception {
    List<JavaProcess> executors = new ArrayList<>();
    try {
      for (int i = 0; i < 3; i++) {
        executors.add(
            new JavaProcess(
                Map.of(),
                List.of(),
                Executor.class.getName(),
                cache.toString(),
                "faulty://" + source));
      }
      for (JavaProcess executor : executors) {
        assertThat(executor.line("is ready")).isNotNull();
      }
      for (JavaProcess executor : executors) { // All at once; none is waited for.
        executor.tell("copy");
      }
      List<String> answers = new ArrayList<>();
      for (JavaProcess executor : executors) {
        answers.add(executor.line("opened "));
      }
      String name = locate("faulty://").getFileName().toString();
      assertThat(answers)
          .containsExactlyInAnyOrder(
              "opened 4 for " + name, "opened 0 for " + name, "opened 0 for " + name);
    } finally {
      for (JavaProcess executor : executors) {
        executor.close();
      }
    }
  }

  /** Holds the lock of a copy, as an executor does that is copying. */
  static final class Copying {
    public static void main(String[] arguments) throws IOException {
      try (FileChannel channel =
          FileChannel.open(
              Path.of(arguments[0]), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
        System.out.println("has locked: " + channel.lock().isValid());
        System.out.println("is told to end: " + System.in.read());
      }
    }
  }

  @Test
  void whatKilledProcessesLeftIsDeletedAndWhatOthersAreCopyingIsNot() throws Exception {
    Path copy = locate("file://");
    Files.delete(copy.resolve("config.json"));
    Path own = Files.createDirectories(cache.resolve(copy.getFileName() + ".unfinished"));
    Files.writeString(own.resolve("half"), "a half");
    Path abandoned =
        Files.createDirectories(cache.resolve("other-0123456789abcdef.unfinished").resolve("deep"));
    Path busy = Files.createDirectories(cache.resolve("other-fedcba9876543210.unfinished"));
    Path foreign = Files.createDirectories(cache.resolve("precious.unfinished"));
    try (JavaProcess other =
        new JavaProcess(
            Map.of(),
            List.of(),
            Copying.class.getName(),
            cache.resolve("other-fedcba9876543210.lock").toString())) {
      assertThat(other.line("has locked")).endsWith("true");
      assertThat(locate("file://")).isEqualTo(copy);
      assertThat(own).doesNotExist();
      assertThat(abandoned.getParent()).doesNotExist();
      assertThat(busy).exists();
    }
    Files.delete(copy.resolve("config.json"));
    assertThat(locate("file://")).isEqualTo(copy);
    assertThat(busy).as("whose process was killed").doesNotExist();
    assertThat(foreign).as("what is not named as a copy").exists();
    assertThat(cache.resolve("precious.lock")).doesNotExist();
  }

  @Test
  void anErrorOfTheStoreThatPassesIsNotSeen() {
    hadoop.setInt(FaultyFileSystem.FAILURES, 2);
    assertThat(locate("faulty://").resolve(WEIGHTS))
        .hasSameBinaryContentAs(source.resolve(WEIGHTS));
  }

  @Test
  void anErrorOfTheStoreThatStaysIsSaidOnce() throws IOException {
    hadoop.setInt(FaultyFileSystem.FAILURES, Integer.MAX_VALUE);
    assertThatThrownBy(() -> locate("faulty://"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessage(
            "chat_template.jinja of faulty:"
                + source
                + " cannot be copied, tried 3 times: the store has lost chat_template.jinja; see"
                + " that the folder is whole and that nobody writes to it, and start again");
    assertThat(names(cache)).allMatch(name -> name.endsWith(".lock"));
  }

  @Test
  void aFileThatIsNotAsListedIsRefused() {
    hadoop.setInt(FaultyFileSystem.LISTED_EXTRA, 7);
    assertThatThrownBy(() -> locate("faulty://"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContaining("tried 3 times: it was listed with 7 bytes and has 0");
  }

  @Test
  void aFileWithAnotherChecksumThanItsStoreSaysIsRefused() {
    hadoop.setBoolean(FaultyFileSystem.WRONG_CHECKSUMS, true);
    assertThatThrownBy(() -> locate("faulty://"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContaining("its CRC-32C is 00000001 and that of the copy 00000000");
  }

  /** Hadoop does not list it, and a template or the sampling would be lost without a word. */
  @Test
  void aDanglingLinkOfALocalFolderIsRefused() throws IOException {
    Files.createSymbolicLink(source.resolve("special_tokens_map.json"), Path.of("nowhere"));
    assertThatThrownBy(() -> locate("file://"))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("special_tokens_map.json: is a link to nowhere, which is not there");
  }

  @Test
  void aFolderThatIsNoModelsSaysSo() throws IOException {
    Files.delete(source.resolve("config.json"));
    assertThatThrownBy(() -> locate("file://"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessage(
            "file://"
                + source
                + " holds no config.json; expected the URI of a Hugging Face folder");
    source = source.resolve("missing");
    assertThatThrownBy(() -> locate("file://"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContaining("missing is not there; expected the URI of a Hugging Face folder");
    assertThatThrownBy(() -> locate("unknown://"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContaining("cannot be listed: No FileSystem for scheme \"unknown\"");
    hadoop.set("fs.unknown.impl", "no.such.FileSystem");
    assertThatThrownBy(() -> locate("unknown://"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContaining("Class no.such.FileSystem not found; expected a folder in a file");
  }

  @Test
  void whatIsNoFolderOfHadoopsSaysWhatToDo() {
    assertThatThrownBy(() -> locate("http://localhost:1"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContainingAll("http://localhost:1", "web server", "hf download");
    source = Path.of(source.toString().replace(" ", "%20"));
    assertThatThrownBy(() -> locate("file://"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContainingAll("Some%20Model is not there", "write a blank for %20");
  }

  /** With a colon in its name, Hadoop opens no local file. */
  @Test
  void aFileThatNoModelHasIsNotCopied() throws IOException {
    Files.writeString(source.resolve("a:b.json"), "{}");
    Files.writeString(source.resolve("a:b.safetensors"), "");
    assertThat(names(locate("file://"))).contains("config.json", WEIGHTS).noneMatch(hasColon());
  }

  private static Predicate<String> hasColon() {
    return name -> name.contains(":");
  }

  @Test
  void aLinkToNothingInACopysPlaceIsReplaced() throws IOException {
    Path copy = locate("file://");
    Path elsewhere = Files.move(copy, temporary.resolve("elsewhere"));
    for (Path place : List.of(copy, cache.resolve(copy.getFileName() + ".unfinished"))) {
      Files.createSymbolicLink(place, Path.of("nowhere"));
    }
    assertThat(locate("file://")).isEqualTo(copy);
    assertThat(copy).isDirectory();
    assertThat(Files.isSymbolicLink(copy)).isFalse();
    assertThat(elsewhere.resolve("config.json")).exists();
  }

  @Test
  void checkingCopiesNothing() throws IOException {
    ModelLocator locator = new ModelLocator(cache, hadoop, Map.of(), FolderPart.TEXT);
    locator.check(ModelLocation.parse("file://" + source));
    assertThat(cache).doesNotExist();
    Files.delete(source.resolve("config.json"));
    assertThatThrownBy(() -> locator.check(ModelLocation.parse("file://" + source)))
        .isInstanceOf(ModelUnavailableException.class);
    locator.check(ModelLocation.parse("/is/of/each/host"));
  }

  @Test
  void aCacheThatCannotBeWrittenNamesTheSetting() throws IOException {
    cache = Files.createFile(temporary.resolve("file")).resolve("models");
    assertThatThrownBy(() -> locate("file://"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContainingAll("cannot be copied to " + cache, "set spark.mla.model.cacheDir to");
  }
}
