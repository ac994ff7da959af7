// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The encoder tab whose tokens come from the model that is open.
#include "tests/app/window/lab_desk.h"
#include "views/encoder/sample_page.h"
#include "views/encoder/token_source_box.h"

#include <QPushButton>

namespace tamis::app::test {

inline QString visionAutoencoder() { return smallAutoencoder(); }
inline QString languageAutoencoder() { return dataset("sae/tinylm.block3.k32/sparsify"); }

struct TokensDesk : LabDesk {
    views::SamplePage& page() { return *panel().sample(); }
    views::TokenSourceBox& box() { return *panel().settings()->tokens(); }
    QString measured() { return box().state().measured; }
    /// The autoencoder beside its model, tokens from the model, the page of the sample in front.
    bool onSample(const char* model, const QString& autoencoder)
    {
        if (!open(dataset(model)))
            return false;
        if (QLatin1String(model) == QLatin1String("vit20"))
            window.open(dataset("photos"));
        window.open(autoencoder);
        if (!complete() || !waitFor([this] { return window.model().report() && !window.model().isBusy(); }))
            return false;
        run("encoder.show");
        panel().showPage(QStringLiteral("sample"));
        window.document().select([](Selection& selection) { selection.encoderPage = "sample"; });
        auto* action = child<QWidget>("sampleEmpty")->findChild<QPushButton*>();
        if (!action || !action->isVisible())
            return false;
        QTest::mouseClick(action, Qt::LeftButton);
        return complete() && lab().picture()->latents;
    }
    void choose(const char* combo, int row)
    {
        auto* box = child<QComboBox>(combo);
        box->setCurrentIndex(row);
        emit box->activated(row);
    }
};

/// A real click on the middle of a token.
template <class View> void press(View& view, int at) { QTest::mouseClick(&view, Qt::LeftButton, {}, view.tokenRect(at).center().toPoint()); }

} // namespace tamis::app::test
