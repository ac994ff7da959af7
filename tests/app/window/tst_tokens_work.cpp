// SPDX-License-Identifier: GPL-3.0-or-later
// What the token tab computes: one photo quickly, a folder with odd files in it, chains by their settings.
#include "app/images/image_loading.h"
#include "app/window/tokens_work.h"
#include "core/base/error.h"

#include <QBuffer>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <QTransform>

#include <cmath>

using namespace tamis;
using namespace tamis::app;

namespace {
const std::filesystem::path kPhotos = TAMIS_SOURCE_DIR "/datasets/photos";

std::shared_ptr<RunnableModel> vit20()
{
    static const auto model = std::make_shared<RunnableModel>(openWorkspace(TAMIS_SOURCE_DIR "/datasets/vit20", {}, {}));
    return model;
}

TokenSetting tome(std::int64_t r)
{
    TokenSetting setting{"tokens.tome", {}};
    setting.parameters.set("r", r);
    return setting;
}

TokenRequest requestFor(const TokenSetting& setting)
{
    TokenRequest request;
    request.model = vit20();
    request.folder = kPhotos;
    request.setting = setting;
    return request;
}

const report::TokenOverlay& of(const views::TokenPicture& picture) { return *picture.overlay(); }
} // namespace

class TstTokensWork : public QObject {
    Q_OBJECT
private slots:
    void theFirstPictureIsTheWholeAnswer()
    {
        TokenWork work(std::make_shared<TokenChains>());
        QVERIFY(!work.coarse(requestFor(tome(12)))); // nothing is open yet
        const auto first = work.refine(requestFor(tome(12)), {});
        QCOMPARE(first->whole.tokens(6), std::int64_t(257));
        QCOMPARE(first->reduced.tokens(6), std::int64_t(257 - 6 * 12));
        QCOMPARE(first->photo, first->sources->names.front());
        QCOMPARE(of(first->reduced).title, std::string("Merge (ToMe)"));
        QVERIFY(of(first->reduced).embeddingShift > 0);
        QCOMPARE(of(first->whole).embeddingShift, 0.0);
        // A slider's next value: at once, and the final answer is that same one.
        const auto quick = work.coarse(requestFor(tome(20)));
        QVERIFY(quick);
        QCOMPARE(quick->reduced.tokens(6), std::int64_t(257 - 6 * 20));
        QCOMPARE(work.refine(requestFor(tome(20)), {}), quick);
        // Independently of what was seen before, a new worker says the same.
        TokenWork other(std::make_shared<TokenChains>());
        const auto again = other.refine(requestFor(tome(20)), {});
        QCOMPARE(of(again->reduced).embeddingShift, of(quick->reduced).embeddingShift);
        QCOMPARE(of(again->reduced).layers.back().group, of(quick->reduced).layers.back().group);
    }
    void wishesAreFollowed()
    {
        TokenWork work(std::make_shared<TokenChains>());
        TokenRequest request = requestFor({"tokens.evit", {}});
        request.setting.parameters.set("keep", 0.3);
        request.setting.parameters.set("fuse", false);
        const auto before = work.refine(request, {});
        int pruned = -1, kept = -1;
        for (int patch = 0; patch < 256; ++patch)
            (before->reduced.groupOf(6, patch) < 0 ? pruned : kept) = patch;
        QVERIFY(pruned >= 0 && kept >= 0);
        request.hands[before->photo] = {{pruned + 1}, {kept + 1}}; // the class token is source 0
        const auto after = work.coarse(request);
        QVERIFY(after);
        QVERIFY(after->reduced.groupOf(6, pruned) >= 0);
        QVERIFY(after->reduced.groupOf(1, kept) < 0); // goes before the first block
        QVERIFY(of(after->reduced).embeddingShift != of(before->reduced).embeddingShift);
        request.hands = {{"another.jpg", {{pruned + 1}, {}}}};
        QCOMPARE(of(work.coarse(request)->reduced).embeddingShift, of(before->reduced).embeddingShift);
    }
    void pinnedSettingsStandBeside()
    {
        TokenWork work(std::make_shared<TokenChains>());
        TokenRequest request = requestFor(tome(8));
        request.pinned = tome(30);
        const auto both = work.refine(request, {});
        QCOMPARE(both->pinned.tokens(6), std::int64_t(257 - 6 * 30));
        QCOMPARE(both->reduced.tokens(6), std::int64_t(257 - 6 * 8));
        QCOMPARE(tokenSettingTitle(*request.pinned), QStringLiteral("Merge (ToMe), r 30"));
        QCOMPARE(tokenSettingTitle(tome(8)), QStringLiteral("Merge (ToMe)")); // the default
    }
    void chainsAreMadeOnce()
    {
        TokenChains chains;
        const auto sources = openTokenSources(vit20(), kPhotos, {});
        const auto made = chains.chain(sources, tome(5), {});
        QCOMPARE(chains.chain(sources, tome(5), {}), made);
        QVERIFY(chains.chain(sources, tome(6), {}) != made);
        for (int r = 10; r < 40; ++r)
            chains.chain(sources, tome(r), {});
        QVERIFY(!chains.find(sources, tome(5))); // few are remembered
        QVERIFY_THROWS_EXCEPTION(Error, chains.chain(sources, {"tokens.nowhere", {}}, {}));
        QVERIFY_THROWS_EXCEPTION(Error, chains.chain(sources, tome(-3), {}));
    }
    void foldersFillIn()
    {
        TokenFolderWork work(std::make_shared<TokenChains>());
        const auto sources = openTokenSources(vit20(), kPhotos, {});
        std::size_t most = 0;
        int pictures = 0;
        const auto whole = work.run({sources, tome(16), {}}, {}, [&](const auto& partial) {
            QVERIFY(partial->entries.size() >= most);
            most = partial->entries.size();
            ++pictures;
        });
        QCOMPARE(whole->entries.size(), std::size_t(20));
        TokenWork single(std::make_shared<TokenChains>());
        for (const std::size_t photo : {std::size_t(0), std::size_t(13)}) { // as when it is seen closely
            TokenRequest request = requestFor(tome(16));
            request.photo = sources->names[photo];
            QCOMPARE(of(whole->entries[photo].picture).embeddingShift, of(single.refine(request, {})->reduced).embeddingShift);
            QCOMPARE(of(whole->entries[photo].picture).file, sources->names[photo]);
        }
        QVERIFY(whole->entries[3].picture.photo().width() <= 192);
    }
    void oddPhotosAreShownOrSaidWhy()
    {
        QTemporaryDir folder;
        const auto path = [&](const char* name) { return folder.filePath(QLatin1String(name)); };
        const auto write = [&](const char* name, const QByteArray& bytes) {
            QFile file(path(name));
            if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size())
                throw Error(ErrorCode::IoFailure, "cannot be written", name);
        };
        const auto jpegOf = [](const QImage& image) {
            QByteArray bytes;
            QBuffer buffer(&bytes);
            buffer.open(QIODevice::WriteOnly);
            image.save(&buffer, "JPG", 95);
            return bytes;
        };
        QFile::copy(QString::fromStdString((kPhotos / openTokenSources(vit20(), kPhotos, {})->names.front()).string()), path("photo.jpg"));
        QImage one(1, 1, QImage::Format_RGB32);
        one.fill(Qt::red);
        QVERIFY(one.save(path("one.png")));
        QImage grey(40, 30, QImage::Format_Grayscale8);
        grey.fill(90);
        QVERIFY(grey.save(path("grey.jpg")));
        QImage alpha(50, 60, QImage::Format_ARGB32);
        alpha.fill(QColor(10, 200, 30, 0));
        QVERIFY(alpha.save(path("alpha.png")));
        QFile whole(path("photo.jpg")), cut(path("cut.jpg")), text(path("text.png"));
        QVERIFY(whole.open(QIODevice::ReadOnly) && cut.open(QIODevice::WriteOnly) && text.open(QIODevice::WriteOnly));
        cut.write(whole.readAll().first(whole.size() / 2));
        text.write("no picture");
        cut.close();
        text.close();
        // Four inks, as printers have them.
        write("inks.jpg", QByteArray::fromBase64("/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwACAQEBAQECAQEBAgICAgIEAwICAgIFBAQDBAYFBgYGBQYGBgcJCAYHCQcGBggLCAkKCgoKCgYICwwLCgwJCgoK/8AAFAgACAAQBEMRAE0RAFkR"
                                                 "AEsRAP/EABcAAQEBAQAAAAAAAAAAAAAAAAkKBwj/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oADgRDAE0AWQBLAAA/ADbP4fwmiyBg6I91A//Z"));
        // The same picture upright, and lying with the word that turns it.
        QImage upright(24, 24, QImage::Format_RGB32);
        upright.fill(Qt::black);
        for (int y = 0; y < 12; ++y)
            for (int x = 0; x < 24; ++x)
                upright.setPixel(x, y, qRgb(240, 240, 240));
        write("upright.jpg", jpegOf(upright));
        QByteArray lying = jpegOf(upright.transformed(QTransform().rotate(-90)));
        lying.insert(2, QByteArray::fromHex("ffe10022" "457869660000" "49492a0008000000" "0100" "120103000100000006000000" "00000000"));
        write("lying.jpg", lying);
        // A picture of one pixel whose header claims 16,000 x 16,000.
        QVERIFY(one.save(path("huge.bmp")));
        QFile bitmap(path("huge.bmp"));
        QVERIFY(bitmap.open(QIODevice::ReadOnly));
        QByteArray claims = bitmap.readAll();
        bitmap.close();
        for (const int offset : {18, 22})
            claims.replace(offset, 4, QByteArray("\x80\x3E\0\0", 4));
        write("huge.bmp", claims);
        TokenFolderWork work(std::make_shared<TokenChains>());
        const auto sources = openTokenSources(vit20(), folder.path().toStdString(), {});
        const auto result = work.run({sources, tome(8), {}}, {}, {});
        for (const auto& entry : result->entries) {
            const std::string& name = sources->names[entry.photo];
            const bool unreadable = name == "cut.jpg" || name == "text.png" || name == "huge.bmp";
            QVERIFY2(entry.picture.isEmpty() == unreadable, name.c_str());
            QVERIFY2(entry.failure.contains(QString::fromStdString(name)) == unreadable, qPrintable(entry.failure)); // a sentence that names it
            if (!unreadable)
                QCOMPARE(entry.picture.tokens(6), std::int64_t(257 - 48));
        }
        const auto photoOf = [&](const std::string& name) {
            const auto found = std::ranges::find_if(result->entries, [&](const auto& entry) { return sources->names[entry.photo] == name; });
            return found == result->entries.end() ? QImage() : found->picture.photo();
        };
        const QImage turned = photoOf("lying.jpg"), stands = photoOf("upright.jpg");
        QVERIFY(!turned.isNull() && turned.size() == stands.size());
        QVERIFY(qGray(turned.pixel(turned.width() / 2, turned.height() / 4)) > 200); // light above
        QVERIFY(qGray(turned.pixel(turned.width() / 2, 3 * turned.height() / 4)) < 50);
        // Once known it is not tried again, and others still are.
        const auto again = work.run({sources, tome(20), {}}, {}, {});
        QCOMPARE(again->entries.size(), result->entries.size());
    }
    void foldersStop()
    {
        TokenFolderWork work(std::make_shared<TokenChains>());
        const auto sources = openTokenSources(vit20(), kPhotos, {});
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Error, work.run({sources, tome(16), {}}, RunContext(stop.get_token()), {}));
        QCOMPARE(work.run({sources, tome(16), {}}, {}, {})->entries.size(), std::size_t(20)); // what was stopped goes on
    }
    void modelsWithoutAGridAreRefused()
    {
        const auto text = std::make_shared<RunnableModel>(openWorkspace(TAMIS_SOURCE_DIR "/datasets/tinylm", {}, {}));
        QVERIFY_THROWS_EXCEPTION(Error, openTokenSources(text, kPhotos, {}));
    }
    void wishesBeyondTheModelAreLeftOut()
    {
        const auto wishes = shownWishesOf({{2, 99}, {4, 2}}, 5);
        QCOMPARE(wishes.size(), std::size_t(5));
        QCOMPARE(wishes[2], report::TokenWish::Keep); // keeping wins
        QCOMPARE(wishes[4], report::TokenWish::Drop);
        QVERIFY(wishesOf({}, 5).empty());
    }
};

QTEST_MAIN(TstTokensWork)
#include "tst_tokens_work.moc"
