package dev.sparkmla.plugin.location;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.model.GoldenCheckpoint;
import dev.sparkmla.plugin.ApplicationModel;
import dev.sparkmla.plugin.location.ModelLocation.StoredFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.CRC32C;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model in an HDFS, which runs inside this process. */
class StoredInHdfsTest {
  private static final GoldenCheckpoint MODEL = GoldenCheckpoint.all().get(0);

  @TempDir static Path folder;
  private static MiniDFSCluster cluster;
  private static String uri;

  @BeforeAll
  static void startHdfs() throws IOException {
    Configuration settings = new Configuration();
    settings.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, folder.resolve("hdfs").toString());
    settings.set("dfs.blocksize", "1048576");
    settings.set("dfs.namenode.fs-limits.min-block-size", "1048576");
    cluster = new MiniDFSCluster.Builder(settings).numDataNodes(1).build();
    cluster.waitActive();
    FileSystem hdfs = cluster.getFileSystem();
    hdfs.mkdirs(new org.apache.hadoop.fs.Path("/models"));
    hdfs.copyFromLocalFile(
        new org.apache.hadoop.fs.Path(MODEL.folder().toAbsolutePath().toString()),
        new org.apache.hadoop.fs.Path("/models/golden"));
    uri = hdfs.getUri() + "/models/golden";
  }

  @AfterAll
  static void stopHdfs() {
    cluster.shutdown(true);
  }

  @Test
  void knowsTheChecksumOfAFileOfSeveralBlocks() throws IOException {
    byte[] content = new byte[(2 << 20) + 77];
    for (int i = 0; i < content.length; i++) {
      content[i] = (byte) (i * 31 >> 3);
    }
    Path file = Files.write(folder.resolve("long.json"), content);
    FileSystem hdfs = cluster.getFileSystem();
    org.apache.hadoop.fs.Path stored = new org.apache.hadoop.fs.Path("/models/long");
    hdfs.copyFromLocalFile(
        new org.apache.hadoop.fs.Path(file.toString()),
        new org.apache.hadoop.fs.Path(stored, "long.json"));
    hdfs.create(new org.apache.hadoop.fs.Path(stored, "config.json")).close();
    CRC32C expected = new CRC32C();
    expected.update(content);

    StoredFolder location = new StoredFolder(hdfs.getUri() + "/models/long");
    try (StoredFiles files = StoredFiles.open(location, new Configuration(), FolderPart.ALL)) {
      assertThat(files.files()).extracting(StoredFiles.StoredFile::name).contains("long.json");
      assertThat(files.crc32c(files.files().get(1))).hasValue((int) expected.getValue());
    }
  }

  @Test
  void anApplicationComputesWithTheModel() throws IOException {
    Path cache = folder.resolve("cache");
    SparkSession spark = start(uri, cache);
    try {
      Path copy = ApplicationModel.folder().path();
      assertThat(copy).hasParent(cache);
      for (String file : List.of("config.json", "tokenizer.json", "model.safetensors")) {
        assertThat(copy.resolve(file)).hasSameBinaryContentAs(MODEL.folder().resolve(file));
      }
      String tokens = "select llm_count_tokens(text) from values ('some text') as t(text)";
      assertThat(spark.sql(tokens).first().getInt(0)).isPositive();
    } finally {
      spark.stop();
    }
  }

  @Test
  void anApplicationSaysWhatIsWrongWithTheUri() {
    assertThatThrownBy(() -> start(uri + "-2", folder.resolve("cache")))
        .hasStackTraceContaining(
            uri + "-2 is not there; expected the URI of a Hugging Face folder");
  }

  private static SparkSession start(String model, Path cache) {
    return SparkSession.builder()
        .master("local[2]")
        .appName("a model in HDFS")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.plugins", "dev.sparkmla.plugin.MlaPlugin")
        .config("spark.sql.extensions", "dev.sparkmla.sql.MlaExtensions")
        .config("spark.mla.backend", "cpu")
        .config("spark.mla.kvcache.size", "16m")
        .config("spark.mla.model.path", model)
        .config("spark.mla.model.cacheDir", cache.toString())
        .getOrCreate();
  }
}
